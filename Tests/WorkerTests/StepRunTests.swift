import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Steps
@testable import Volume
@testable import Worker

@Suite(.timeLimit(.minutes(5))) struct StepRunTests {
  private let volume: VolumeFixture

  init() throws {
    volume = try VolumeFixture()
  }

  private func log(_ step: Int = 0) -> String {
    volume.text(volume.jobs.appending("job/results/step_\(step).log")) ?? ""
  }

  @Test func stepIsTriedAgainUntilItSucceeds() async throws {
    var report = try await volume.runSteps(
      #"{"steps": [{"run": "printf x >> n; printf try; test $(cat n) = xxx", "retries": 5, "retryDelay": "1ms"}]}"#)
    let step = report.steps[0]
    #expect(step.status == .success && step.exitCode == 0 && step.tries == 3)
    let lines = (1...2).map { "try\n[try \($0) of 6 failed with exit code 1; trying again in 1ms]\n" }
    #expect(log() == lines.joined() + "try")
    #expect(step.logBytes == log().utf8.count)
    #expect(report.finish().status == .success)
  }

  /// A job whose time is over must end, whatever its `always` steps do.
  @Test func stepThatCleansUpIsBounded() {
    #expect(StepRun.Role.cleanup.limit == .seconds(300))
    #expect(StepRun.Role.work(until: nil).limit == nil)
  }

  @Test(arguments: [
    (#""true""#, "", "success success"),
    (#""exit 3""#, "", "failed failed"),
    (#"{"run": "exit 3", "continueOnError": true}"#, "", "success failed"),
    (#"{"run": "exec sleep 100", "timeout": "200ms"}"#, "", "timeout timeout"),
    (#""exec sleep 100""#, #", "timeout": "200ms""#, "timeout timeout"),
  ])
  func stepKnowsHowThoseBeforeItEnded(_ step: String, _ rest: String, _ told: String) async throws {
    let report = try await volume.runSteps(
      #"{"steps": [\#(step), {"run": "echo $JOB_STATUS $STEP_0_STATUS", "always": true}]\#(rest)}"#)
    #expect(report.steps[1].status == .success)
    #expect(log(1) == "\(told)\n")
  }

  @Test func lastTryDecides() async throws {
    var report = try await volume.runSteps(
      #"{"steps": [{"run": "printf x >> n; exit $(wc -c < n)", "retries": 2}, {"run": "true", "always": true}]}"#)
    #expect(report.steps[0].status == .failed && report.steps[0].exitCode == 3 && report.steps[0].tries == 3)
    #expect(report.steps[1].tries == nil)
    #expect(report.tail?.contains("try 2 of 3 failed with exit code 2; trying again]") == true)
    let result = report.finish()
    #expect(result.status == .failed && result.exitCode == 3)
    #expect(result.error == "step 0 failed with exit code 3")
  }

  @Test func stepThatTookTooLongIsTriedAgain() async throws {
    let report = try await volume.runSteps(
      #"{"steps": [{"run": "test -e n || { touch n; exec sleep 100; }", "timeout": "300ms", "retries": 1}]}"#)
    #expect(report.steps[0].status == .success && report.steps[0].tries == 2 && !report.steps[0].timedOut)
    #expect(report.steps[0].durationMs >= 300)
    #expect(log() == "[try 1 of 2 took longer than its timeout; trying again]\n")
  }

  @Test(arguments: [
    (#""retryDelay": "1h", "run": "exit 3""#, "[not tried again: the job took longer than its timeout]\n"),
    (#""run": "exec sleep 100""#, ""),
  ])
  func timeoutOfTheJobIsTheEndOfAllTries(step: String, line: String) async throws {
    var report = try await volume.runSteps(#"{"timeout": "1s", "steps": [{"retries": 9, \#(step)}]}"#)
    #expect(report.steps[0].status == .timeout && report.steps[0].timedOut && report.steps[0].tries == 1)
    #expect(log().hasSuffix(line))
    let result = report.finish()
    #expect(result.status == .timeout && result.exitCode == 124)
  }

  @Test func stopIsTheEndOfAllTries() async throws {
    let stop = StopRequest()
    let definition = #"{"steps": [{"run": "exit 3", "retries": 9, "retryDelay": "1h"}]}"#
    async let running = volume.runSteps(definition, until: stop)
    try await eventually("the pause") { log().contains("trying again in 1h") }
    stop.raise(.terminate, reason: .canceled)
    var report = try await running
    #expect(report.steps[0].status == .canceled && report.steps[0].exitCode == 3 && report.steps[0].tries == 1)
    #expect(report.finish().status == .canceled)
  }

  @Test func stepThatCannotBeStartedIsNotTriedAgain() async throws {
    var report = try await volume.runSteps(
      #"{"steps": [{"run": "true", "shell": ["/no/such"], "retries": 3}]}"#)
    #expect(report.steps[0].status == .error)
    #expect(report.finish().status == .error)
  }

  @Test func onlyTheLastTryHandsOn() async throws {
    var report = try await volume.runSteps(
      """
      {"steps": [{"run": "echo A$(ls)=1 >> $JOB_OUTPUT; test -e n || { touch n; exit 1; }", "retries": 1}]}
      """)
    #expect(report.finish().outputs == ["An": "1"])
  }
}

extension VolumeFixture {
  /// Runs the steps of a job. Calls `begins` before each step.
  func runSteps(
    _ definition: String, until stop: StopRequest = StopRequest(),
    begins: @escaping @Sendable (Int) -> Void = { _ in }
  ) async throws -> JobReport {
    let folder = try job("job", definition)
    let identity = WorkerIdentity(id: try worker("worker-01"), version: "1")
    let claim = ClaimRecord(
      id: try JobID("job"), attempt: 1, worker: "worker-01", process: identity.process, filter: nil,
      envelope: Envelope(payload: "{}", topic: "jobs/pending", requestId: RequestID("1")))
    let workspaces = try WorkspacesDirectory(root.appending("workspaces"))
    var report = JobReport(claim, worker: identity)
    try await StepSequence(
      definition: try JobDefinition(json: Array(definition.utf8)), claim: claim,
      workspace: try workspaces.make(try JobID("job")), results: try ResultsFolder.prepare(in: folder),
      settings: WorkerSettings(), redaction: .none, stop: stop, relay: nil, fence: { .now + .seconds(1000) },
      patience: VolumePatience(limit: .zero, logger: silent), begins: { step, _ in begins(step) }, tell: { _ in },
      logger: silent
    ).run(into: &report)
    return report
  }
}
