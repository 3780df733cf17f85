import Glibc
import SystemPackage
import TestSupport
import Testing

/// Workers that are killed (SIGKILL), and what the next worker does with their state.
@Suite(.everyAccess) struct KilledWorkerTests {
  /// The points of a job's life in order. Each comes with the attempt in the result and the number of publications of
  /// that result, if the worker dies at that point.
  static let points: [(checkpoint: String, attempt: Int, publications: ClosedRange<Int>)] = [
    ("received", 1, 1...1), ("claimed", 2, 1...2), ("acknowledged", 2, 1...1), ("started", 2, 1...1),
    ("resultWritten", 1, 1...1), ("published", 1, 2...2), ("released", 1, 1...1),
  ]

  @Test(arguments: points, ["jobs/pending", "$share/workers/jobs/pending"])
  func jobIsRunOnceWhereverItsWorkerIsKilled(
    _ point: (checkpoint: String, attempt: Int, publications: ClosedRange<Int>), _ filter: String
  ) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo run >> $JOB_RESULTS_DIR/../runs; echo made > made.txt"])
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: filter)
      try await scene.send("job")
      let first = try scene.worker(on: filter, stopAt: point.checkpoint)
      try await first.reachesCheckpoint()
      try await first.kill()

      // The second life may already have the job when it finds a message that the first did not acknowledge.
      for _ in 0..<2 { #expect(try await scene.worker(on: filter, ["--idle-timeout", "1s"]).end() == .code(0)) }
      try await results.message { $0.json["status"] == "success" && $0.json["id"] == "job" }
      #expect(point.publications.contains(results.messages.count))
      #expect(scene.text("job", "runs") == "run\n")
      #expect(scene.text("job", "results/made.txt") == "made\n")
      #expect(scene.result("job")["attempt"] == .number(Double(point.attempt)))
      try await scene.broker.session(of: "worker-01") { $0?.queued == 0 }
    }
  }

  @Test(arguments: ["worker-01", "worker-02"])
  func stepDiesWithItsWorkerAndTheNextGoesOn(_ successor: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string(hangingAtFirst)])
      let results = try await scene.results()
      let first = try scene.worker(["--lease", "1s"])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      try await eventually("all that it starts") { scene.processes.count >= 4 }
      try await first.kill()
      try await eventually("the end of all that the worker started") { scene.processes.isEmpty }
      #expect(scene.listing(scene.jobs.appending("job/results")).isDisjoint(with: ["result.json", "half.txt"]))

      let next = try scene.worker(successor, ["--lease", "1s"])
      try await results.message(on: "jobs/results/job") { $0.json["status"] == "success" }
      #expect(try await next.end() == .code(0))
      #expect(scene.result("job")["attempt"] == 2)
      #expect(scene.result("job")["workerId"] == .string(successor))
      #expect(scene.log("job") == "again\n")
      #expect(scene.text("job", "results.previous/step_0.log") == "begun\n")
      #expect(scene.text("job", "results/half.txt") == nil)
      #expect(results.messages.count == 1)
    }
  }

  @Test(arguments: [1, 2])
  func jobIsLostWhenNoAttemptIsLeft(_ attempts: Int) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo $JOB_ATTEMPT >> $JOB_RESULTS_DIR/../attempts; sleep 1000"])
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try await scene.send("job")
      for attempt in 1...attempts {
        let worker = try scene.worker(["--max-attempts", "\(attempts)"])
        try await eventually("attempt \(attempt)") { scene.text("job", "attempts")?.hasSuffix("\(attempt)\n") == true }
        try await worker.kill()
      }
      #expect(try await scene.worker(["--max-attempts", "\(attempts)"]).end() == .code(0))
      let message = try await results.message(on: "jobs/results/job")
      let times = attempts == 1 ? "1 time" : "2 times"
      let sentence: JSON = "its worker died \(times) while running the job, and no attempt is left"
      for result in [message.json, scene.result("job")] {
        #expect(result["status"] == "lost")
        #expect(result["exitCode"] == .null)
        #expect(result["error"] == sentence)
      }
      #expect(scene.text("job", "attempts") == (1...attempts).map { "\($0)\n" }.joined())
    }
  }

  @Test func definitionMayAllowFewerAttempts() async throws {
    try await Scene.play { scene in
      try scene.job("job", ["steps": ["sleep 1000"], "maxAttempts": 1])
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try await scene.send("job")
      let first = try scene.worker(stopAt: "started")
      try await first.reachesCheckpoint()
      try await first.kill()
      #expect(try await scene.worker().end() == .code(0))
      #expect(scene.result("job")["status"] == "lost")
    }
  }

  /// A worker may also be killed while it only publishes another worker's result.
  @Test(arguments: ["success", "lost"])
  func resultIsPublishedUntilAWorkerSurvivesIt(_ status: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo run >> $JOB_RESULTS_DIR/../runs"])
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try await scene.send("job")
      for checkpoint in [status == "lost" ? "started" : "resultWritten", "published", "published"] {
        let worker = try scene.worker(["--max-attempts", "1"], stopAt: checkpoint)
        try await worker.reachesCheckpoint()
        try await worker.kill()
      }
      #expect(try await scene.worker(["--max-attempts", "1"]).end() == .code(0))
      try await results.messages(3)
      #expect(results.messages.allSatisfy { $0.json["status"].string == status })
      #expect(Set(results.messages.map { $0.json["attempt"].number }).count == 1)
      #expect(scene.text("job", "runs") == (status == "lost" ? nil : "run\n"))
    }
  }

  @Test func claimThatWasNotWrittenWholeIsNoClaim() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      try scene.write(#"{"attempt":1,"enve"#, scene.jobs.appending(".worker/claims/job.1.json"))
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try await scene.send("job", ["requestId": "first"])
      // The request was not acknowledged, so the broker sends it again, and it does not count as a duplicate.
      #expect(try await scene.worker(["--lease", "1s"]).end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.result("job")["requestId"] == "first")
    }
  }

  @Test func requestOfATornClaimIsDeferredByABusyWorker() async throws {
    try await Scene.play { scene in
      let gate = scene.gate()
      try scene.job("long", steps: [.string("echo begun; \(scene.waiting(for: gate))")])
      try scene.job("job", steps: ["true"])
      let busy = try scene.worker(on: group, ["--lease", "2s"])
      try await busy.listens()
      try await scene.send("long")
      try await eventually("the step") { scene.log("long") == "begun\n" }
      try scene.write(#"{"attempt":1,"enve"#, scene.jobs.appending(".worker/claims/job.1.json"))
      try await scene.send("job")
      try await eventually("its deferred request") { !scene.deferred.isEmpty }
      try scene.open(gate)
      #expect(try await busy.end() == .code(0))
      #expect(try await scene.worker(on: group, ["--lease", "2s"]).end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
    }
  }

  @Test func workspaceOfADeadWorkerIsPurgedByTheNext() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["sleep 1000"], ["big/input.txt": "one"])
      let foreign = scene.workspaces.appending("somebodys/notes.txt")
      try scene.write("mine", foreign)
      let first = try scene.worker("worker-01", ["--max-attempts", "1"])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the workspace") { scene.listing(scene.workspaces).contains("job/big/input.txt") }
      try await first.kill()
      #expect(scene.workspacesLeft.contains("job/big/input.txt"))
      // Another worker, which does not take that job.
      let next = try scene.worker("worker-02", on: "other/pending")
      try await next.listens()
      #expect(scene.workspacesLeft == ["somebodys/", "somebodys/notes.txt"])
      next.send(SIGTERM)
      #expect(try await next.end() == .code(0))
      #expect(try await scene.worker("worker-01", ["--max-attempts", "1"]).end() == .code(0))
      #expect(scene.workspacesLeft == ["somebodys/", "somebodys/notes.txt"])
      try scene.remove(scene.workspaces.appending("somebodys"))
    }
  }

  @Test func folderThatNoWorkerMadeIsNoWorkspace() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["touch ran"])
      try scene.write("mine", scene.workspaces.appending("job/notes.txt"))
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.text("job", "results/ran") == "")
      #expect(scene.workspacesLeft == ["job/", "job/notes.txt"])
      try scene.remove(scene.workspaces.appending("job"))
    }
  }
}

/// A step that, at its first attempt, starts a process in its own session and one in the background, and hangs.
private let hangingAtFirst = """
  if [ "$JOB_ATTEMPT" = 1 ]; then
    setsid sleep 1000 &
    sleep 1000 &
    echo half > half.txt
    echo begun
    wait
  fi
  rm -f half.txt
  echo again
  """
