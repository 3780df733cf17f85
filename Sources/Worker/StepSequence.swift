package import Jobs
import Logging
import Steps
import SystemPackage
import Volume

/// Runs a job's steps one after the other.
///
/// The first step that fails ends the job, except for steps with `always`, which still run. The failure of a step with
/// `continueOnError` does not count. A step that cannot be started always ends the job: that is the worker's failure,
/// not the step's.
struct StepSequence {
  package let definition: JobDefinition
  package let claim: ClaimRecord
  package let workspace: Workspace
  package let results: ResultsFolder
  package let settings: WorkerSettings
  package let redaction: Redaction
  package let stop: StopRequest
  /// Receives the steps' output; `nil` if it stays on the volume.
  let relay: (@Sendable (StepOutput) async -> Void)?
  /// Throws when another worker holds the job: no step may begin beside that worker's steps. Returns until when this
  /// worker certainly holds the job.
  let fence: @Sendable () async throws -> ContinuousClock.Instant
  /// Called with a step's index before it starts.
  package let begins: @Sendable (Int) -> Void
  package let tell: @Sendable (StepResult) async -> Void
  let logger: Logger
  /// How many of the latest logs are kept open. The worker can put these back if a job removes results/.
  private static let keptLogs = 64

  /// The purpose of a step.
  private enum Role {
    case work(until: ContinuousClock.Instant?)
    /// The step has `always`, and the job is ending.
    case cleanup

    var deadline: ContinuousClock.Instant? { if case .work(let deadline) = self { deadline } else { nil } }

    /// The timeout of a cleanup step that has none of its own. The job's timeout does not apply any more, but a cleanup
    /// step must end, too.
    var limit: Duration? { if case .cleanup = self { .seconds(300) } else { nil } }
  }

  package func run(into report: inout JobReport) async throws {
    settings.guardian?.guardProcesses(carrying: "\(StepEnvironment.markerName)=\(workspace.path)")
    let runner = StepRunner(guardian: settings.guardian)
    let deadline = (definition.timeout ?? settings.timeout).map { ContinuousClock.now + $0 }
    report.deadline = deadline
    // These logs stay open, so that they can be put back.
    var logs: [(index: Int, log: StepLog)] = []
    for (index, step) in definition.steps.enumerated() {
      if deadline.map({ ContinuousClock.now >= $0 }) ?? false { report.isTimedOut = true }
      // The level is read once per step. A step that begins before the stop request is ended by it; only a step that
      // begins after it is a cleanup step.
      let isStopped = stop.level > .none
      let isEnding = report.decisive != nil || report.hasFailed || report.isTimedOut || isStopped
      guard !isEnding || step.always, stop.level < .kill else {
        if report.decisive == nil { report.stoppedBy = report.stoppedBy ?? stop.reason }
        report.steps.append(StepResult(skipped: step, index).masked(by: redaction))
        continue
      }
      begins(index)
      let log = StepLog(
        try results.createLog(of: index), limit: settings.maxLogBytes, temporary: workspace.temporary,
        redacting: redaction)
      let result: StepResult
      do {
        let ending = isStopped ? stop.forCleanup() : stop
        result = try await run(
          step, index, log, with: runner, until: ending, isEnding ? .cleanup : .work(until: deadline), &report
        )
        .masked(by: redaction)
      } catch let failure as JobFailure {
        report.fail(failure)
        result = StepResult(unstarted: step, index).masked(by: redaction)
      }
      report.steps.append(result)
      if result.status == .canceled { report.stoppedBy = report.stoppedBy ?? stop.reason }
      if ![.success, .error].contains(result.status), !step.continueOnError, report.decisive == nil {
        report.decisive = result
        report.tail = String(decoding: log.tail(4096), as: UTF8.self)
      }
      logs = (logs + [(index, log)]).suffix(StepSequence.keptLogs)
      report.flag(try results.restore(Dictionary(uniqueKeysWithValues: logs.map { ($0.index, $0.log.descriptor) })))
      await tell(result)
    }
  }

  /// Runs one step. What ended the job does not end a step that runs `always` for cleanup.
  private func run(
    _ step: Step, _ index: Int, _ log: StepLog, with runner: StepRunner, until stop: StopRequest,
    _ role: Role, _ report: inout JobReport
  ) async throws -> StepResult {
    let left = role.deadline.map { $0 - .now }
    let isJobTimeout = left.map { $0 < step.timeout ?? .seconds(Int64.max / 2) } ?? false
    var command = StepCommand(
      shell: step.shell, script: step.run, workingDirectory: try directory(of: step, index),
      environment: environment(of: step, index),
      timeout: isJobTimeout ? left : step.timeout ?? role.limit, grace: settings.grace)
    var outcome: StepOutcome?
    for attempt in 1...10 where outcome == nil {
      // Ask as late as possible: nothing can revoke the start between this answer and the step's first instruction.
      command.startsBefore = try await fence()
      do throws(SpawnError) {
        outcome = try await start(command, index, log, with: runner, until: stop)
      } catch {
        guard error.isTooLate, attempt < 10 else {
          throw JobFailure(.run, "step \(index) cannot be started: \(error)")
        }
      }
    }
    guard let outcome else { preconditionFailure("the last try throws") }
    if outcome.timedOut, isJobTimeout { report.isTimedOut = true }
    logger.warn(ofSurvivors: outcome.survivors, of: "step \(index)", claim.id)
    return StepResult(step, index, outcome)
  }

  private func start(
    _ command: StepCommand, _ index: Int, _ log: StepLog, with runner: StepRunner, until stop: StopRequest
  ) async throws(SpawnError) -> StepOutcome {
    guard let relay else { return try await runner.run(command, into: log, until: stop) }
    return try await LogRelay(step: index, log: log, tell: relay).relaying { () async throws(SpawnError) in
      try await runner.run(command, into: log, until: stop)
    }
  }

  private func directory(of step: Step, _ index: Int) throws(JobFailure) -> FilePath {
    guard let relative = step.workingDirectory else { return workspace.path }
    let path = workspace.path.pushing(FilePath(relative).removingRoot())
    guard let real = realPath(path), real.starts(with: workspace.path) else {
      throw JobFailure(
        .run, "steps[\(index)]: workingDirectory \"\(relative)\" is not a folder inside the job's workspace")
    }
    return real
  }

  private func environment(of step: Step, _ index: Int) -> [String: String] {
    let facts = StepEnvironment.Facts(
      jobID: claim.id.text, attempt: claim.attempt, workspace: workspace.path, results: results.path,
      workerID: claim.worker)
    return settings.environment.variables(
      facts, stepIndex: index, job: definition.environment, step: step.environment)
  }
}

extension StepResult {
  /// The result with secrets masked: the job may spell them out in the step's command or name.
  fileprivate func masked(by redaction: Redaction) -> StepResult {
    var result = self
    result.command = redaction.masking(command)
    result.name = name.map(redaction.masking)
    return result
  }

  fileprivate init(_ step: Step, _ index: Int, _ outcome: StepOutcome) {
    let status: StepStatus =
      if outcome.timedOut { .timeout } else if outcome.stopped != nil { .canceled } else if outcome.end == .exited(0) {
        .success
      } else { .failed }
    self.init(
      index: index, command: step.run, status: status, exitCode: outcome.timedOut ? 124 : Int(outcome.end.exitCode),
      durationMs: outcome.duration.milliseconds, log: JobsDirectory.logPath(index), name: step.name,
      signal: outcome.end.signalName, logBytes: Int(outcome.logBytes), logDropped: Int(outcome.logDropped),
      timedOut: outcome.timedOut, endedProcesses: outcome.endedProcesses, killed: outcome.killed,
      logError: outcome.logError.map { "\(JobsDirectory.logName(index)): \($0)" })
  }

  fileprivate init(unstarted step: Step, _ index: Int) {
    self.init(
      index: index, command: step.run, status: .error, exitCode: nil, durationMs: 0, log: JobsDirectory.logPath(index),
      name: step.name)
  }

  package init(skipped step: Step, _ index: Int) {
    self.init(
      index: index, command: step.run, status: .skipped, exitCode: nil, durationMs: 0, log: nil, name: step.name)
  }
}

extension Logger {
  /// Names the number of processes that nobody here can end, if there are any.
  func warn(ofSurvivors count: Int, of what: String, _ id: JobID) {
    guard count > 0 else { return }
    warning(
      "\(count) process\(count == 1 ? "" : "es") of \(what) cannot be ended: not this user's, or hanging in the kernel",
      metadata: ["job": "\(id)"])
  }
}
