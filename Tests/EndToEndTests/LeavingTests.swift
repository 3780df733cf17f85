import Glibc
import SystemPackage
import TestSupport
import Testing

/// How a worker ends after SIGTERM or SIGINT.
@Suite(.everyAccess) struct LeavingTests {
  /// The promise of DESIGN.md to an orchestrator.
  static let promptly: Duration = .seconds(1)

  @Test(
    arguments: [
      ("jobs/pending", [], SIGTERM), ("$share/workers/jobs/pending", [], SIGINT),
      ("$share/workers/jobs/pending", ["--clean"], SIGTERM), ("jobs/pending", ["-v", "4"], SIGTERM),
    ] as [(String, [String], Int32)])
  func idleWorkerSaysGoodbyeAndLeavesWithinASecond(
    _ filter: String, _ arguments: [String], _ signal: Int32
  ) async throws {
    try await Scene.play { scene in
      let worker = try scene.worker(on: filter, arguments)
      try await worker.listens()
      worker.send(signal)
      // A shell leaves its loop only if INT itself has ended the worker.
      #expect(try await worker.end(within: LeavingTests.promptly) == (signal == SIGINT ? .signal(SIGINT) : .code(0)))
      try await scene.broker.logged("Received DISCONNECT from worker-01")
      try await scene.broker.logged("Received DISCONNECT from worker-01-control")
      #expect(worker.output.isEmpty)
    }
  }

  /// The worker waits a while for a job's folder.
  @Test func workerThatIsToldToStopBeforeItClaimsLeavesTheJobToTheNext() async throws {
    try await Scene.play { scene in
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try await scene.send("job")
      let first = try scene.worker()
      try await scene.broker.logged("Sending PUBLISH to worker-01 ")
      first.send(SIGTERM)
      #expect(try await first.end() == .code(0))
      try await scene.broker.session(of: "worker-01") { $0?.queued == 1 }
      #expect(scene.broker.logged("Received PUBACK from worker-01 ") == 0)
      #expect(results.messages.isEmpty)

      try scene.job("job", steps: [.string(scene.noteRun)])
      #expect(try await scene.worker().end() == .code(0))
      try await results.message { $0.json["status"] == "success" }
      #expect(scene.runs("job") == 1)
      #expect(results.messages.count == 1)
    }
  }

  @Test(arguments: [([], SIGQUIT), (["--on-term", "finish"], SIGTERM)] as [([String], Int32)])
  func workerFinishesItsJobAndLeaves(_ arguments: [String], _ signal: Int32) async throws {
    try await Scene.play { scene in
      let worker = try scene.worker("worker-01", on: "$share/g/jobs/pending", ["--jobs", "0"] + arguments)
      try await worker.listens()
      try scene.job("job", steps: ["echo begun", "until [ -e \(scene.files)/go ]; do sleep 0.02; done", "echo end"])
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      worker.send(signal)
      try await worker.says("leaving when the job has ended")
      // As systemd sends it after TERM to the rest of a scope.
      worker.send(SIGHUP)
      try scene.write("", scene.files.appending("go"))
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success" && scene.log("job", step: 2) == "end\n")
      let idle = try scene.worker("worker-01", on: "$share/g/jobs/pending", ["--jobs", "0"] + arguments)
      try await idle.listens()
      idle.send(signal)
      #expect(try await idle.end() == .code(0))
    }
  }

  @Test func secondTermEndsTheJobThatWasToFinish() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker("worker-01", on: "jobs/pending", environment: ["WORKER_ON_TERM": "finish"])
      try await worker.listens()
      try scene.job("job", steps: ["echo begun; exec sleep 600"])
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      worker.send(SIGTERM)
      try await worker.says("leaving when the job has ended")
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "canceled")
      let wrong = try await scene.run(["--on-term", "wait", "-u", scene.broker.url])
      #expect(wrong.end == .code(64) && wrong.errors.contains("neither 'cancel' nor 'finish'"))
    }
  }

  @Test func stepIsAskedToEndAndWhatItLeavesIsKept() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: [
          "trap 'echo bye; echo saved > saved.txt; exit 3' TERM; echo begun; while :; do sleep 0.02; done",
          "echo never", ["run": "echo always > always.txt", "always": true],
        ])
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
      let message = try await results.message(on: "jobs/results/job")
      #expect(message.json["status"] == "canceled")
      let result = scene.result("job")
      #expect(result["status"] == "canceled")
      #expect(result["reason"] == "shutdown")
      #expect(result["error"] == "the worker was asked to stop")
      #expect(result["steps"].elements.map { $0["status"] } == ["canceled", "skipped", "success"])
      #expect(result["steps"][0]["exitCode"] == 3)
      #expect(scene.log("job").hasSuffix("bye\n"))
      #expect(scene.text("job", "results/saved.txt") == "saved\n")
      #expect(scene.text("job", "results/always.txt") == "always\n")
    }
  }

  @Test func stepThatIgnoresTheRequestIsKilledAfterTheGrace() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["trap '' TERM; echo begun; while :; do sleep 0.02; done"])
      let worker = try scene.worker(["--grace", "1s"])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
      let result = scene.result("job")
      #expect(result["status"] == "canceled")
      #expect(result["steps"][0]["signal"] == "SIGKILL")
      #expect(result["steps"][0]["exitCode"] == 137)
    }
  }

  @Test func secondSignalKillsAtOnceAndTheResultIsStillWritten() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["trap '' TERM; echo half > half.txt; echo begun; while :; do sleep 0.02; done"])
      let results = try await scene.results()
      let worker = try scene.worker(["--grace", "1h"])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      worker.send(SIGTERM)
      try await worker.says("stopping")
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
      #expect(try await results.message().json["status"] == "canceled")
      #expect(scene.result("job")["reason"] == "shutdown")
      #expect(scene.result("job")["steps"][0]["signal"] == "SIGKILL")
      #expect(scene.text("job", "results/half.txt") == "half\n")
    }
  }

  @Test(arguments: ["jobs/pending", "$share/workers/jobs/pending"])
  func furtherJobsAreNotTakenAlong(_ filter: String) async throws {
    try await Scene.play { scene in
      try scene.job("first", steps: ["echo begun; sleep 1000"])
      try scene.job("second", steps: [.string(scene.noteRun)])
      let results = try await scene.results()
      let worker = try scene.worker(on: filter)
      try await worker.listens()
      try await scene.send("first")
      try await eventually("the step") { scene.log("first") == "begun\n" }
      try await scene.send("second")
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
      #expect(scene.runs("second") == 0)
      #expect(try await scene.worker(on: filter).end() == .code(0))
      try await results.message(on: "jobs/results/second") { $0.json["status"] == "success" }
      #expect(scene.runs("second") == 1)
      #expect(results.messages(on: "jobs/results/first").map { $0.json["status"] } == ["canceled"])
    }
  }

  @Test func workerLeavesWithinASecondWhenThereWasNeverABroker() async throws {
    try await Scene.play(.down) { scene in
      try await scene.broker.renew()
      let worker = try scene.worker()
      try await worker.says("next try")
      worker.send(SIGTERM)
      #expect(try await worker.end(within: LeavingTests.promptly) == .code(0))
    }
  }

  @Test(arguments: ["killed", "frozen"])
  func workerLeavesWithinASecondWhenTheBrokerIsGone(_ fate: String) async throws {
    try await Scene.play { scene in
      let worker = try scene.worker()
      try await worker.listens()
      if fate == "killed" {
        try await scene.broker.kill()
        try await worker.says("next try")
      } else {
        try await scene.broker.freeze()
      }
      worker.send(SIGTERM)
      #expect(try await worker.end(within: LeavingTests.promptly) == .code(0))
      scene.broker.thaw()
    }
  }
}
