package import Jobs
import Logging
import Steps
import SystemPackage
import Volume

/// A job's steps, one after the other.
///
/// The first that fails ends the job, except that steps which are to run `always` still do, and that a step with
/// `continueOnError` does not count. One that cannot be started ends it, too, whatever it says: that is no step's failure.
struct StepSequence {
  package let definition: JobDefinition
  package let claim: ClaimRecord
  package let workspace: Workspace
  package let results: ResultsFolder
  package let settings: WorkerSettings
  package let redaction: Redaction
  package let stop: StopRequest
  /// Takes what steps write, if anybody is to be told.
  let relay: (@Sendable (StepOutput) async -> Void)?
  /// Throws when the job is another worker's by now: no step may begin beside its. Until when it is known to be this worker's.
  let fence: @Sendable () async throws -> ContinuousClock.Instant
  /// Is called with a step's place before it starts.
  package let begins: @Sendable (Int) -> Void
  package let tell: @Sendable (StepResult) async -> Void
  let logger: Logger
  /// Logs that a job which removes results/ cannot take away: those of the last steps.
  private static let keptLogs = 64

  /// What a step is there for.
  private enum Role {
    case work(until: ContinuousClock.Instant?)
    /// It runs `always`, and the job is ending.
    case cleanup

    var deadline: ContinuousClock.Instant? { if case .work(let deadline) = self { deadline } else { nil } }

    /// How long it may take where it has no timeout of its own: the job's does not count any more, but what ended the job
    /// must not leave it without an end.
    var limit: Duration? { if case .cleanup = self { .seconds(300) } else { nil } }
  }

  package func run(into report: inout JobReport) async throws {
    settings.guardian?.guardProcesses(carrying: "\(StepEnvironment.markerName)=\(workspace.path)")
    let runner = StepRunner(guardian: settings.guardian)
    let deadline = (definition.timeout ?? settings.timeout).map { ContinuousClock.now + $0 }
    report.deadline = deadline
    // Kept open, so that they can be put back.
    var logs: [(index: Int, log: StepLog)] = []
    for (index, step) in definition.steps.enumerated() {
      if deadline.map({ ContinuousClock.now >= $0 }) ?? false { report.isTimedOut = true }
      // Looked at once: a step that began before the job was asked to end is ended, and only one that begins after that is
      // there to clean up.
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

  /// Runs one step; a step that runs `always`, when the job is ending, is not bound by what ended it.
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
      // As late as can be: what is between this and the step's first instruction, nobody can take back.
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
  /// What anybody may read. Its command and its name may hold secrets that the job spells out.
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
