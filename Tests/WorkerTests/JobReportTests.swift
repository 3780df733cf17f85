import Testing

@testable import Jobs
@testable import Steps
@testable import Volume
@testable import Worker

struct JobReportTests {
  private func report() throws -> JobReport {
    let worker = WorkerIdentity(id: try #require(WorkerID("worker-01", host: "host")), version: "1.2.3")
    let envelope = Envelope(payload: "{}", topic: "jobs/pending", requestId: RequestID("order-1"))
    let claim = ClaimRecord(
      id: try JobID("job"), attempt: 2, worker: "worker-01", process: worker.process, filter: nil, envelope: envelope)
    return JobReport(claim, worker: worker)
  }

  private func step(_ status: StepStatus, exitCode: Int?, timedOut: Bool = false, signal: String? = nil) -> StepResult {
    StepResult(
      index: 3, command: "x", status: status, exitCode: exitCode, durationMs: 1, log: nil, name: "build",
      signal: signal, timedOut: timedOut)
  }

  @Test func jobOfWhichNothingIsSaidSucceeded() throws {
    var report = try report()
    let result = report.finish()
    #expect(result.status == .success)
    #expect(result.exitCode == 0)
    #expect(result.error == nil && result.reason == nil && result.phase == nil)
    #expect(result.attempt == 2)
    #expect(result.requestId == "order-1")
    #expect(result.workerVersion == "1.2.3")
    #expect(result.timing.start <= result.timing.end)
  }

  @Test func whatTheStepsUsedIsAddedUpAndAKillForLackOfMemoryIsSaid() throws {
    for (limit, sentence) in [
      (MemoryLimit.bytes(64 << 20), "memory reached its limit of 64 MiB"), (.host, "the host's memory ran out"),
    ] {
      var report = try report()
      var killed = step(.failed, exitCode: 137, signal: "SIGKILL")
      killed.usage = Usage(userMs: 1, systemMs: 2, maxRssBytes: 3)
      var other = step(.success, exitCode: 0)
      other.usage = Usage(userMs: 10, systemMs: 20, maxRssBytes: 2)
      report.add(StepRun.End(result: killed, variables: JobVariables(), memoryLimit: limit))
      report.add(StepRun.End(result: other, variables: JobVariables()))
      report.steps = [killed, other, step(.skipped, exitCode: nil)]
      report.decisive = killed
      let result = report.finish()
      #expect(result.usage == Usage(userMs: 11, systemMs: 22, maxRssBytes: 3))
      #expect(result.outOfMemory == true)
      #expect(
        result.error
          == "step 3 (build) was ended by SIGKILL; the kernel ended a process of step 3, because \(sentence)")
    }
  }

  @Test func decisiveStepGivesItsExitCodeAndASentence() throws {
    for (step, status, code, sentence) in [
      (step(.failed, exitCode: 7), JobStatus.failed, 7, "step 3 (build) failed with exit code 7"),
      (step(.failed, exitCode: 139, signal: "SIGSEGV"), .failed, 139, "step 3 (build) was ended by SIGSEGV"),
      (
        step(.timeout, exitCode: 124, timedOut: true, signal: "SIGTERM"), .timeout, 124,
        "step 3 (build) took longer than its timeout"
      ),
    ] {
      var report = try report()
      report.decisive = step
      let result = report.finish()
      #expect(result.status == status)
      #expect(result.exitCode == code)
      #expect(result.error == sentence)
    }
  }

  @Test func timeoutOfTheJobComesBeforeTheStepThatItEnded() throws {
    var report = try report()
    report.decisive = step(.timeout, exitCode: 124, timedOut: true)
    report.isTimedOut = true
    let result = report.finish()
    #expect(result.status == .timeout)
    #expect(result.exitCode == 124)
    #expect(result.error == "the job took longer than its timeout")
  }

  @Test func whatStoppedTheJobComesBeforeTheStepThatItEnded() throws {
    for (reason, sentence) in [
      (StopReason.shutdown, "the worker was asked to stop"), (.canceled, "the job was canceled"),
    ] {
      var report = try report()
      report.decisive = step(.canceled, exitCode: 143, signal: "SIGTERM")
      report.stoppedBy = reason
      let result = report.finish()
      #expect(result.status == .canceled)
      #expect(result.reason == reason.rawValue)
      #expect(result.exitCode == 143)
      #expect(result.error == sentence)
    }
  }

  @Test func jobStoppedBetweenStepsHasTheExitCodeOfTERM() throws {
    var report = try report()
    report.stoppedBy = .canceled
    #expect(report.finish().exitCode == 143)
  }

  @Test func failureOfTheWorkerComesFirstAndTheFirstIsTold() throws {
    var report = try report()
    report.stoppedBy = .canceled
    report.decisive = step(.failed, exitCode: 7)
    report.fail(JobFailure(.run, "no shell"))
    report.fail(JobFailure(.sync, "no room"))
    #expect(report.hasFailed)
    let result = report.finish()
    #expect(result.status == .error)
    #expect(result.exitCode == 125)
    #expect(result.phase == "run")
    #expect(result.error == "no shell")
  }

  @Test func lostJobCountsItsDeaths() throws {
    let once = try report().lost(after: 1, "no attempt is left")
    #expect(once.status == .lost)
    #expect(once.exitCode == nil)
    #expect(once.error == "its worker died 1 time while running the job, and no attempt is left")
    let often = try report().lost(after: 3, "no attempt is left")
    #expect(often.error == "its worker died 3 times while running the job, and no attempt is left")
  }
}
