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
  let definition: JobDefinition
  let claim: ClaimRecord
  let workspace: Workspace
  let results: ResultsFolder
  let settings: WorkerSettings
  let redaction: Redaction
  /// The job's.
  let stop: StopRequest
  /// Receives the steps' output; `nil` if it stays on the volume.
  let relay: (@Sendable (StepOutput) async -> Void)?
  /// Throws when another worker holds the job: no step may begin beside that worker's steps. Returns until when this
  /// worker certainly holds the job.
  let fence: @Sendable () async throws -> ContinuousClock.Instant
  let patience: VolumePatience
  /// Called with a step's index and its name, masked, before it starts.
  let begins: @Sendable (Int, String?) -> Void
  let tell: @Sendable (StepResult) async -> Void
  let logger: Logger
  /// How many of the latest logs are kept open. The worker can put these back if a job removes results/.
  private static let keptLogs = 64

  func run(into report: inout JobReport) async throws {
    settings.guardian?.guardProcesses(carrying: "\(StepEnvironment.markerName)=\(workspace.path)")
    let runner = StepRunner(guardian: settings.guardian)
    let deadline = (definition.timeout ?? settings.timeout).map { ContinuousClock.now + $0 }
    report.deadline = deadline
    var variables = JobVariables()
    var redaction = redaction
    var secrets: Set<String> = []
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
      let file: Result<FileDescriptor, any Error>
      do {
        file = .success(try await createLog(of: index, until: deadline))
      } catch  where VolumePatience.isOfAbsence(error) && !isStopped && stop.level > .none {
        report.stoppedBy = report.stoppedBy ?? stop.reason
        report.steps.append(StepResult(skipped: step, index).masked(by: redaction))
        continue
      } catch {
        file = .failure(error)
      }
      begins(index, step.name.map(redaction.masking))
      var log: StepLog?
      let result: StepResult
      do {
        let made = StepLog(
          try file.get(), limit: settings.maxLogBytes, temporary: workspace.temporary, redacting: redaction)
        log = made
        let run = StepRun(
          of: self, step, index, made, with: runner, until: isStopped ? stop.forCleanup() : stop,
          isEnding ? .cleanup : .work(until: deadline), given: variables, after: report.earlier(isStopped))
        let end = try await run.run()
        variables = end.variables
        report.add(end)
        result = end.result.masked(by: redaction)
      } catch let failure as JobFailure {
        report.fail(failure)
        result = StepResult(unstarted: step, index).masked(by: redaction)
      }
      report.steps.append(result)
      if result.status == .canceled { report.stoppedBy = report.stoppedBy ?? stop.reason }
      if ![.success, .error].contains(result.status), !step.continueOnError, report.decisive == nil {
        report.decisive = result
        report.tail = log.map { String(decoding: $0.tail(4096), as: UTF8.self) }
      }
      if variables.secrets != secrets {
        secrets = variables.secrets
        redaction = settings.redaction(of: definition, and: secrets)
        report.redaction = redaction
      }
      if let log { logs = (logs + [(index, log)]).suffix(StepSequence.keptLogs) }
      do {
        report.flag(try results.restore(Dictionary(uniqueKeysWithValues: logs.map { ($0.index, $0.log.descriptor) })))
      } catch {
        report.fail(error)
      }
      await tell(result)
    }
  }

  /// Creates a step's log. While the volume is away it tries again, for a lease at most, and no longer than the job may run.
  private func createLog(of index: Int, until deadline: ContinuousClock.Instant?) async throws -> FileDescriptor {
    let isWorthIt = { (error: any Error) in
      VolumePatience.isOfAbsence(error) && stop.level == .none && deadline.map { .now < $0 } ?? true
    }
    return try await patience.asking(while: isWorthIt) { try results.createLog(of: index) }
  }
}

extension StepResult {
  /// The result with secrets masked: the job may spell them out in the step's command or name.
  func masked(by redaction: Redaction) -> StepResult {
    var result = self
    result.command = redaction.masking(command)
    result.name = name.map(redaction.masking)
    return result
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
