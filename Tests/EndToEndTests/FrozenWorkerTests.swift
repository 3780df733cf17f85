import Glibc
import SystemPackage
import TestSupport
import Testing

/// Workers that stand still for longer than their lease (SIGSTOP: a paused container, a swapped-out machine).
@Suite struct FrozenWorkerTests {
  /// Where the first worker freezes. Its step continues, and may end meanwhile.
  enum Moment: String, CaseIterable {
    case inAStep, afterItsStep, beforeItPublishes
  }

  @Test(arguments: Moment.allCases, ["jobs/pending", "$share/workers/jobs/pending"])
  func onlyTheSecondWorkerAnswers(_ moment: Moment, _ filter: String) async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: [
          .string(
            """
            \(scene.noteRun); echo attempt $JOB_ATTEMPT; echo $JOB_ATTEMPT > "of-$JOB_ATTEMPT.txt"
            if [ $JOB_ATTEMPT = 1 ]; then \(moment == .inAStep ? "sleep 1000" : scene.waitForGate); fi
            """)
        ])
      let results = try await scene.results()
      let first = try scene.worker(
        "worker-01", on: filter, ["--lease", "1s"], stopAt: moment == .beforeItPublishes ? "resultWritten" : nil)
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "attempt 1\n" }
      if moment == .beforeItPublishes {
        try scene.openGate()
        try await first.reachesCheckpoint()
      } else {
        try await first.freeze()
        try scene.openGate()
      }
      let second = try scene.worker("worker-02", on: filter, ["--lease", "1s"])
      #expect(try await second.end() == .code(0))
      let message = try await results.message(on: "jobs/results/job")
      #expect(message.json["workerId"] == (moment == .beforeItPublishes ? "worker-01" : "worker-02"))
      let listing = scene.listing(scene.jobs.appending("job/results"))

      first.thaw()
      #expect(try await first.end() == .code(0))
      #expect(results.messages.count == 1)
      #expect(scene.listing(scene.jobs.appending("job/results")) == listing)
      if moment == .beforeItPublishes {
        // The result was already written; the second worker only published it.
        #expect(scene.runs("job") == 1)
      } else {
        #expect(scene.result("job")["attempt"] == 2)
        #expect(scene.result("job")["workerId"] == "worker-02")
        #expect(scene.log("job") == "attempt 2\n")
        #expect(listing == ["step_0.log", "of-2.txt", "result.json"])
        #expect(scene.text("job", "results.previous/step_0.log") == "attempt 1\n")
        #expect(scene.runs("job") == 2)
      }
      #expect(!first.logLines.contains { $0["level"] == "error" }, "\(first.log)")
    }
  }

  /// The first worker thaws during the second worker's attempt.
  @Test func workerThatThawsEndsItsStepAndDisturbsNobody() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); echo attempt $JOB_ATTEMPT; \(scene.waitForGate)")])
      let results = try await scene.results()
      let first = try scene.worker(["--lease", "1s"])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "attempt 1\n" }
      try await first.freeze()
      let second = try scene.worker("worker-02", ["--lease", "1s"])
      try await eventually("the second attempt") { scene.log("job") == "attempt 2\n" }
      first.thaw()
      #expect(try await first.end() == .code(0))
      #expect(first.log.contains("another worker has taken the job over"))
      #expect(scene.claims == ["job.1.json", "job.2.json"])
      #expect(second.process.end == nil)
      try scene.openGate()
      #expect(try await second.end() == .code(0))
      try await results.message { $0.json["workerId"] == "worker-02" }
      #expect(results.messages.count == 1)
    }
  }

  /// Nothing about the step shows the next worker that it belongs to this job.
  @Test func stepOfAFrozenWorkerIsEndedBeforeItRunsBesideTheNextAttempt() async throws {
    try await Scene.play { scene in
      let mark = "\(Int.random(in: 10_000_000..<100_000_000))"
      let step = """
        echo attempt $JOB_ATTEMPT
        [ $JOB_ATTEMPT = 2 ] || exec env -i setsid -w sh -c "sleep $(cat mark); :"
        \(scene.waitForGate)
        """
      try scene.job("job", steps: [.string(step)], ["mark": mark])
      let results = try await scene.results()
      let first = try scene.worker(["--lease", "2s"])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { !ProcessEntry.marked(mark).isEmpty }
      try await first.freeze()
      let second = try scene.worker("worker-02", ["--lease", "2s"])
      try await eventually("the second attempt") { scene.log("job") == "attempt 2\n" }
      try await eventually("the end of the first attempt's step") { ProcessEntry.marked(mark).isEmpty }
      #expect(ProcessEntry.state(of: first.pid) == "T")
      first.thaw()
      #expect(try await first.end() == .code(0))
      try scene.openGate()
      #expect(try await second.end() == .code(0))
      try await results.message { $0.json["workerId"] == "worker-02" }
      #expect(results.messages.count == 1)
    }
  }

  /// There is no other worker, so the next life of this one makes the next attempt.
  @Test func jobOfAWorkerThatNobodyReplacedIsBegunAgainByItsNextLife() async throws {
    try await Scene.play { scene in
      let step = "echo attempt $JOB_ATTEMPT; [ $JOB_ATTEMPT = 2 ] || sleep 1000"
      try scene.job("job", steps: [.string(step), "touch ran"])
      let results = try await scene.results()
      let first = try scene.worker(["--lease", "1s"])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "attempt 1\n" }
      try await first.freeze()
      try await eventually("the end of the step") { scene.processes.map(\.pid) == [first.pid] }
      first.thaw()
      #expect(try await first.end() == .code(0))
      #expect(scene.claims == ["job.1.json"])
      #expect(scene.audit().last { $0["event"] == "superseded" }?["reason"] == "lapsed")
      #expect(try await scene.worker(["--lease", "1s"]).end() == .code(0))
      let result = try await results.message().json
      #expect(result["status"] == "success")
      #expect(result["attempt"] == 2)
      #expect(scene.text("job", "results/ran") != nil)
      #expect(results.messages.count == 1)
    }
  }

  /// There is no other worker, and no attempt is left. When the worker thaws, it publishes the result, which says why
  /// the step ended.
  @Test func workerThatNobodyReplacedSaysThatItsJobHasLapsed() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo begun; sleep 1000", "touch ran"])
      let results = try await scene.results()
      let first = try scene.worker(["--lease", "1s", "--max-attempts", "1"])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      try await first.freeze()
      try await eventually("the end of the step") { scene.processes.map(\.pid) == [first.pid] }
      first.thaw()
      #expect(try await first.end() == .code(0))
      let result = try await results.message().json
      #expect(result["status"] == "error")
      #expect(scene.result("job")["reason"] == "lapsed")
      #expect(scene.result("job")["attempt"] == 1)
      #expect(scene.text("job", "results/ran") == nil)
    }
  }

  /// A user may stop a dry run in a terminal and continue it at any time.
  @Test func dryRunHasNoLease() async throws {
    try await Scene.play { scene in
      let payload = scene.files.appending("payload.json")
      try scene.write(#"{"id": "dry", "steps": ["echo begun; sleep 3; echo end"]}"#, payload)
      let worker = try scene.worker(["--dry-run", "--payload", payload.string, "--lease", "1s"])
      try await eventually("the step") { scene.log("dry").hasPrefix("begun") }
      try await worker.freeze()
      try await eventually("the end of the step") { scene.processes.map(\.pid) == [worker.pid] }
      worker.thaw()
      #expect(try await worker.end() == .code(0))
    }
  }

  /// A message lies in the socket of a frozen idle worker whose session is adopted meanwhile. When it thaws, the job is
  /// done.
  @Test func workerThatThawsWithAnOldMessageRunsNothingTwice() async throws {
    try await Scene.play { scene in
      let group = "$share/workers/jobs/pending"
      try scene.job("job", steps: [.string(scene.noteRun)])
      let first = try scene.worker(on: group, ["--lease", "1s"])
      try await first.listens()
      try await first.freeze()
      try await scene.send("job")
      let second = try scene.worker("worker-02", on: group, ["--lease", "1s"])
      #expect(try await second.end() == .code(0))
      #expect(scene.result("job")["workerId"] == "worker-02")

      // The worker reads the old message, and answers it again, or writes first, finds the connection lost, and never
      // reads it.
      let before: Int = scene.broker.logged("Sending SUBACK to worker-01\n")
      first.thaw()
      try await scene.broker.logged("Sending SUBACK to worker-01\n", times: before + 1)
      try scene.job("later", steps: ["true"])
      try await scene.send("later")
      #expect(try await first.end() == .code(0))
      #expect(scene.result("later")["workerId"] == "worker-01")
      #expect(scene.runs("job") == 1)
    }
  }
}
