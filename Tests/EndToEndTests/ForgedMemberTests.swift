import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// Forged member files: a worker that empties sessions empties only those of workers.
@Suite struct ForgedMemberTests {
  /// Writes the file of a member of `group` that has left.
  private func leave(_ worker: String, _ clientID: String, _ scene: Scene) throws {
    let member: JSON = [
      "worker": .string(worker), "clientId": .string(clientID), "filter": .string(group),
      "broker": .string("127.0.0.1:\(scene.broker.port)"), "state": "left",
      "process": ["host": "elsewhere", "bootId": "b", "pid": 1, "startTime": "1", "pidNamespace": "p"],
    ]
    let file = scene.jobs.appending(".worker/members/\(worker).json")
    try scene.write(member.text, file)
    utimensat(AT_FDCWD, file.string, [timespec(), timespec()], 0)
  }

  @Test(
    arguments: [
      ("two", "billing", []), ("two", "", []), ("two", "wo", []), ("two", "p-two", []), ("two", "two-control", []),
      ("two", "two", ["--client-id-prefix", "p-"]), ("two", "p-p-two", ["--client-id-prefix", "p-"]),
      ("two", "two:intake", []), ("worker-01-control", "worker-01-control", []), ("two", "two\u{0}", []),
    ] as [(String, String, [String])])
  func sessionThatIsNoWorkersIsLeftAlone(_ worker: String, _ clientID: String, _ arguments: [String]) async throws {
    try await Scene.play { scene in
      let prefix = arguments.last ?? ""
      // A session of a genuine worker, which may be emptied.
      let genuine = prefix + "three"
      let queued = clientID.isEmpty || clientID == "worker-01-control" || clientID.contains("\u{0}") ? [] : [clientID]
      for client in queued { try await scene.broker.makeSession(client, on: "invoices") }
      try await scene.broker.makeSession(genuine, on: group)
      for number in 1...5 { try await scene.broker.publish("invoices", "\(number)") }
      try scene.job("job", steps: [.string(scene.noteRun)])
      try await scene.send("job")
      try leave(worker, clientID, scene)
      try leave("three", genuine, scene)
      let adopter = try scene.worker(on: group, ["--lease", "1s", "--jobs", "0"] + arguments)
      try await eventually("the job") { scene.result("job")["status"] == "success" }
      // The worker looks repeatedly.
      try await adopter.says("took over what was queued for worker three")
      try leave("three", genuine, scene)
      try await eventually("another look") {
        adopter.log.components(separatedBy: "took over what was queued for worker three").count == 3
      }
      for client in queued { try await scene.broker.session(of: client) { $0?.queued == 5 } }
      #expect(scene.broker.logged(" as worker-01-control ") <= 1)
      #expect(!adopter.log.contains("next try"), "\(adopter.log)")
      #expect(scene.members.contains("\(worker).json"))
      adopter.send(SIGTERM)
      #expect(try await adopter.end() == .code(0))
    }
  }
}
