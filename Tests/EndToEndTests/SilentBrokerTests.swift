import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Brokers that do not answer, that refuse something that nobody waits for, or that send what is no packet.
@Suite struct SilentBrokerTests {
  /// The worker would wait for ever, and seem healthy.
  @Test func workerThatIsNeverSubscribedSaysSoAndTriesAgain() async throws {
    let broker = try ScriptedBroker { .bytes($0.kind == .subscribe ? [] : $0.usualAnswer) }
    try await Scene.play(.down) { scene in
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["-u", "mqtt://127.0.0.1:\(broker.port)"])
      try await worker.says("did not answer SUBSCRIBE to 'jobs/pending' within 30.0 s; next try")
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test(arguments: [["cancel", "job"], ["cancel", "--next", "job"], ["drain", "all"], ["workers"]])
  func commandGivesUpOnABrokerThatAnswersNoRequest(_ arguments: [String]) async throws {
    let broker = try ScriptedBroker { .bytes($0.kind == .connect ? $0.usualAnswer : []) }
    try await Scene.play(.down) { scene in
      let command = try scene.client(
        arguments + ["--connect-timeout", "2s"], environment: ["MQTT_URL": "mqtt://127.0.0.1:\(broker.port)"])
      #expect(try await command.end() == .code(69), "\(command.errors)")
      #expect(command.errors.contains("does not answer SUBSCRIBE to '"), "\(command.errors)")
    }
  }

  /// 0x7F is not a property. An assertion of libmosquitto 2.0.11 on it would end the worker in the middle of the job.
  @Test func packetWithABadPropertyCostsNoAttempt() async throws {
    let broker = try ScriptedBroker { packet in
      let isStart = packet.kind == .publish && String(decoding: packet.bytes, as: UTF8.self).contains(#""started""#)
      return .bytes(packet.usualAnswer + (isStart ? [0x32, 9, 0, 1, 0x74, 0, 7, 2, 0x7F, 0, 0x78] : []))
    }
    try await Scene.play(.down) { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); \(scene.waitForGate)")])
      try scene.write(
        #"{"payload":"{\"id\":\"job\"}","requestId":"key","topic":"jobs/pending"}"#,
        scene.jobs.appending(".worker/waiting/%24share%2Fg%2Fjobs%2Fpending/1-job.json"))
      let worker = try scene.worker(
        "worker-01", on: "$share/g/jobs/pending", ["-u", "mqtt://127.0.0.1:\(broker.port)"])
      try await eventually("another connection of the worker") {
        broker.packets.count { $0.kind == .connect && String(decoding: $0.bytes, as: UTF8.self).contains("-control") }
          > 1
      }
      try scene.openGate()
      #expect(try await worker.end() == .code(0), "\(worker.log)")
      #expect(scene.result("job")["status"] == "success" && scene.result("job")["attempt"] == 1)
      #expect(scene.runs("job") == ["run"])
    }
  }

  @Test func workerWhoseStatusIsRefusedSaysSoOnce() async throws {
    let rules = "user limited\ntopic readwrite jobs/#\ntopic read workers/#"
    try await Scene.play(broker: .acl(rules)) { scene in
      let worker = try scene.worker(
        "worker-01", on: "jobs/pending", ["--jobs", "3", "--heartbeat", "1s"], environment: ["MQTT_USERNAME": "limited"]
      )
      try await worker.listens()
      for id in ["one", "two", "three"] { try await scene.send(id, ["steps": ["true"]]) }
      #expect(try await worker.end() == .code(0))
      let lines = worker.log.split(separator: "\n").filter { $0.contains("'workers/worker-01/status'") }
      #expect(lines.count == 1, "\(worker.log)")
    }
  }
}
