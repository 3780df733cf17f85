import Glibc
import SystemPackage
import TestSupport
import Testing

/// Two live workers with one id.
@Suite struct SameIDTests {
  @Test(arguments: [[], ["-v", "4"]])
  func secondWorkerOfAVolumeLeavesTheFirstAlone(_ arguments: [String]) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let first = try scene.worker(["--lease", "1s"] + arguments)
      try await first.listens()
      let second = try scene.worker(["--lease", "1s"] + arguments)
      #expect(try await second.end() == .code(78))
      #expect(second.log.contains("worker id 'worker-01' is in use by another process"))
      try await scene.send("job")
      #expect(try await first.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(!first.log.contains("next try"))
      #expect(scene.broker.logged(" as worker-01 ") == 1)
      #expect(scene.broker.logged(" as worker-01-control ") == 1)
    }
  }

  /// Workers without a common volume can meet only at the broker.
  @Test(arguments: [[], ["-v", "4"], ["--clean"]])
  func workersOfTwoVolumesDoNotTakeTheSessionFromEachOtherForEver(_ arguments: [String]) async throws {
    try await Scene.play { scene in
      let volume = scene.files.appending("other-volume")
      try scene.write("", volume.appending("placeholder"))
      try scene.job("job", steps: ["true"])
      try scene.write(#"{"steps":["true"]}"#, volume.appending("job/job.json"))
      let first = try scene.worker(arguments)
      try await first.listens()
      let second = try scene.worker(arguments + ["-j", volume.string, "-w", scene.files.appending("other").string])
      let loser = try await eventually("the end of one of them") {
        [first, second].first { $0.process.end != nil }
      }
      #expect(loser.process.end == .code(78))
      #expect(loser.log.contains("worker id 'worker-01' is in use"))
      let winner = loser === first ? second : first
      let results = try await scene.results()
      try await scene.broker.session(of: "worker-01-control") { $0 != nil }
      try await scene.insist(on: ["job"])
      #expect(try await winner.end() == .code(0))
      try await results.message { $0.json["status"] == "success" }
    }
  }

  /// A worker obeys signals while it watches whether the other one is alive.
  @Test func workerThatWaitsForItsIDCanBeStopped() async throws {
    try await Scene.play { scene in
      let member: JSON = [
        "worker": "worker-01", "clientId": "worker-01", "filter": "jobs/pending", "broker": "localhost:1883",
        "state": "present",
        "process": ["host": "elsewhere", "bootId": "b", "pid": 1, "startTime": "1", "pidNamespace": "p"],
      ]
      try scene.write(member.text, scene.jobs.appending(".worker/members/worker-01.json"))
      let worker = try scene.worker(["--lease", "1h"])
      try await eventually("the start") { !scene.listing(scene.jobs.appending(".worker/clocks")).isEmpty }
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
  }
}
