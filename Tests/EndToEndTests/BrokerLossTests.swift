import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Brokers that are missing, go away, and come back.
@Suite struct BrokerLossTests {
  @Test func workerWaitsForTheBrokerAndTakesAJobWhenItComes() async throws {
    try await Scene.play(.down) { scene in
      try scene.job("job", steps: ["true"])
      let worker = try scene.worker()
      try await eventually("two tries") { worker.tries.count >= 2 }
      let waits = worker.tries.compactMap { $0["message"].text.split(separator: " ").dropLast().last }.compactMap {
        Double($0)
      }
      #expect(waits.count == worker.tries.count)
      #expect(waits.allSatisfy { (1...30).contains($0) })
      #expect(worker.tries.allSatisfy { $0["message"].text.contains("127.0.0.1:\(scene.broker.port)") })
      try await scene.broker.start()
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
    }
  }

  @Test(arguments: [
    ("mqtt://127.0.0.1:%p", "Connection refused"), ("mqtt://no-such-host.invalid", "cannot be resolved"),
  ])
  func workerGivesUpAfterTheConnectTimeout(_ url: String, _ reason: String) async throws {
    try await Scene.play(.down) { scene in
      let url = url.replacingOccurrences(of: "%p", with: "\(scene.broker.port)")
      let worker = try scene.worker(["-u", url, "--connect-timeout", "1s"])
      #expect(try await worker.end() == .code(69))
      #expect(worker.log.split(separator: "\n").last?.contains(reason) == true)
    }
  }

  @Test func idleWorkerGivesUpWhenTheBrokerStaysAway() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker(["--connect-timeout", "1s"])
      try await worker.listens()
      try await scene.broker.stop()
      #expect(try await worker.end() == .code(69))
    }
  }

  @Test(
    arguments: ["jobs/pending", "$share/workers/jobs/pending"],
    [[], ["-v", "4"], ["--clean"]])
  func jobGoesOnWhileTheBrokerRestarts(_ filter: String, _ arguments: [String]) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); echo begun; \(scene.waitForGate)")])
      let worker = try scene.worker(on: filter, arguments)
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      try await scene.broker.stop()
      try await worker.says("next try")
      try await scene.broker.start()
      let results = try await scene.results()
      try scene.openGate()
      #expect(try await results.message(on: "jobs/results/job").json["status"] == "success")
      #expect(try await worker.end() == .code(0))
      #expect(scene.runs("job") == 1)
      #expect(scene.result("job")["attempt"] == 1)
    }
  }

  @Test func resultIsPublishedWhenTheBrokerComesBackAfterTheJob() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); echo begun; \(scene.waitForGate)")])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      try await scene.broker.kill()
      try scene.openGate()
      try await scene.awaitResult("job")
      #expect(scene.claims == ["job.1.json"])
      #expect(worker.process.end == nil)
      try await scene.broker.start()
      let results = try await scene.results()
      #expect(try await results.message(on: "jobs/results/job").json["status"] == "success")
      #expect(try await worker.end() == .code(0))
      #expect(scene.runs("job") == 1)
    }
  }

  @Test(arguments: ["worker-01", "worker-02"])
  func resultThatCannotBePublishedIsLeftToTheNextWorker(_ successor: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); echo begun; \(scene.waitForGate)")])
      let worker = try scene.worker(["--connect-timeout", "1s", "--lease", "1s"])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      try await scene.broker.stop()
      try scene.openGate()
      #expect(try await worker.end() == .code(75))
      #expect(worker.log.contains("the result is kept on the volume but could not be published"))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.claims == ["job.1.json"])
      #expect(scene.workspacesLeft.isEmpty)

      try await scene.broker.start()
      let results = try await scene.results()
      #expect(try await scene.worker(successor, ["--lease", "1s"]).end() == .code(0))
      try await results.message(on: "jobs/results/job") { $0.json["status"] == "success" }
      #expect(results.messages.count == 1)
      #expect(scene.runs("job") == 1)
    }
  }

  /// A worker that is asked to stop waits for the broker no longer than the grace.
  @Test func stoppedWorkerLeavesItsResultWhenTheBrokerIsGone() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo begun; sleep 1000"])
      let worker = try scene.worker(["--grace", "1s"])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      try await scene.broker.stop()
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(75))
      #expect(scene.result("job")["status"] == "canceled")
      try await scene.broker.start()
      let results = try await scene.results()
      #expect(try await scene.worker().end() == .code(0))
      #expect(try await results.message(on: "jobs/results/job").json["status"] == "canceled")
    }
  }
}

extension WorkerProcess {
  /// The log lines about attempts to connect.
  fileprivate var tries: [JSON] { logLines.filter { $0["message"].text.contains("next try in ") } }
}
