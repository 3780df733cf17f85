import Jobs
import Steps
import SystemPackage
import Volume

/// One step of a job, from its first try to its last.
///
/// A step that failed, or took longer than its own timeout, is tried again as often as it has retries, but not when the job is
/// to end: after the job's timeout, or once somebody asked it to stop.
struct StepRun {
  /// The purpose of a step.
  enum Role {
    case work(until: ContinuousClock.Instant?)
    /// The step has `always`, and the job is ending.
    case cleanup

    var deadline: ContinuousClock.Instant? { if case .work(let deadline) = self { deadline } else { nil } }

    /// The timeout of a cleanup step that has none of its own. The job's timeout does not apply any more, but a cleanup
    /// step must end, too.
    var limit: Duration? { if case .cleanup = self { .seconds(300) } else { nil } }
  }

  /// How the steps before have ended, and the job if it ended with them.
  struct EarlierSteps {
    var job: JobStatus
    var steps: [StepStatus]
  }

  /// How a step ended.
  struct End: Sendable {
    /// The result: that of the last try, with the sums of all.
    var result: StepResult
    /// What this step and those before it have handed on.
    var variables: JobVariables
    /// Whether the job's timeout ended it.
    var isJobTimedOut = false
    /// The limit of memory, if the kernel ended a process because it was reached.
    var memoryLimit: MemoryLimit?
  }

  private let job: StepSequence
  private let step: Step
  private let index: Int
  private let log: StepLog
  private let runner: StepRunner
  private let stop: StopRequest
  private let role: Role
  private let variables: JobVariables
  private let earlier: EarlierSteps

  /// The step `index` of the job. What ended the job does not end a step that runs for cleanup: `stop` is its own.
  init(
    of job: StepSequence, _ step: Step, _ index: Int, _ log: StepLog, with runner: StepRunner, until stop: StopRequest,
    _ role: Role, given variables: JobVariables, after earlier: EarlierSteps
  ) {
    (self.job, self.step, self.index, self.log) = (job, step, index, log)
    (self.runner, self.stop, self.role, self.variables) = (runner, stop, role, variables)
    self.earlier = earlier
  }

  /// Runs it, and finishes its log. Throws ``JobFailure`` if it cannot be started, and what the fence throws.
  func run() async throws -> End {
    var end = try await relaying {
      defer { log.finish() }
      return try await tries()
    }
    if job.results.fillsLate { log.sync() }
    end.result.logBytes = Int(log.length)
    end.result.logDropped = Int(log.dropped)
    end.result.logError = log.error.map { "\(JobsDirectory.logName(index)): \($0)" }
    return end
  }

  private func relaying(_ body: () async throws -> End) async throws -> End {
    guard let relay = job.relay else { return try await body() }
    return try await LogRelay(step: index, log: log, tell: relay).relaying(body)
  }

  // MARK: Tries

  private func tries() async throws -> End {
    let began = ContinuousClock.now
    var end = try await runOnce()
    guard step.retries > 0 else { return end }
    var number = 1
    while number <= step.retries, end.mayBeTriedAgain {
      end.isJobTimedOut = role.deadline.map { $0 <= .now } ?? false
      if job.stop.level == .none, !end.isJobTimedOut {
        log.note(
          "try \(number) of \(step.retries + 1) \(end.result.whatHappened); trying again"
            + (step.retryDelay.map { " in \($0.jobText)" } ?? ""))
        try await pause()
        end.isJobTimedOut = role.deadline.map { $0 <= .now } ?? false
      }
      guard job.stop.level == .none, !end.isJobTimedOut else {
        log.note("not tried again: \(end.isJobTimedOut ? "the job took longer than its timeout" : "the job is to end")")
        end.result.giveUp(end.isJobTimedOut ? .timeout : .canceled)
        break
      }
      number += 1
      var next = try await runOnce()
      next.add(end)
      end = next
    }
    end.result.tries = number
    end.result.durationMs = (ContinuousClock.now - began).milliseconds
    return end
  }

  /// Waits before the next try, until the job is to end at most.
  private func pause() async throws {
    guard let delay = step.retryDelay else { return }
    let limit = role.deadline.map { min(delay, max($0 - .now, .zero)) } ?? delay
    _ = try await job.stop.unlessRaised { try await Task.sleep(for: limit) }
  }

  // MARK: One try

  private func runOnce() async throws -> End {
    let left = role.deadline.map { $0 - .now }
    let isJobTimeout = left.map { $0 < step.timeout ?? .seconds(Int64.max / 2) } ?? false
    let files = try newFiles()
    var command = StepCommand(
      shell: step.shell, script: step.run, workingDirectory: try directory, environment: environment(files),
      timeout: isJobTimeout ? left : step.timeout ?? role.limit, grace: job.settings.grace)
    let outcome = try await start(&command)
    job.logger.warn(ofSurvivors: outcome.survivors, of: "step \(index)", job.claim.id)
    var end = End(
      result: StepResult(step, index, outcome), variables: variables,
      isJobTimedOut: outcome.timedOut && isJobTimeout, memoryLimit: outcome.memoryLimit)
    for kind in StepFiles.Kind.allCases {
      do {
        try end.variables.add(files.read(kind), from: kind, job.settings.secretNames)
      } catch let fault as VariableFault {
        log.note(fault.sentence(about: kind.rawValue))
        if end.result.status == .success { (end.result.status, end.result.exitCode) = (.failed, 1) }
      } catch {
        throw JobFailure(.run, "\(kind.rawValue) of step \(index) cannot be read: \(error)")
      }
    }
    return end
  }

  private func start(_ command: inout StepCommand) async throws -> StepOutcome {
    var attempt = 1
    while true {
      // Ask as late as possible: nothing can revoke the start between this answer and the step's first instruction.
      command.startsBefore = try await job.fence()
      do throws(SpawnError) {
        return try await runner.run(command, into: log, until: stop)
      } catch {
        guard error.isTooLate, attempt < 10 else {
          throw JobFailure(.run, "step \(index) cannot be started: \(error)")
        }
      }
      attempt += 1
    }
  }

  private func newFiles() throws(JobFailure) -> StepFiles {
    do {
      return try job.workspace.scratch.newFiles()
    } catch {
      throw JobFailure(.run, "step \(index) cannot be started: no folder for its temporary files: \(error)")
    }
  }

  private var directory: FilePath {
    get throws(JobFailure) {
      guard let relative = step.workingDirectory else { return job.workspace.path }
      let path = job.workspace.path.pushing(FilePath(relative).removingRoot())
      guard let real = realPath(path), real.starts(with: job.workspace.path) else {
        throw JobFailure(
          .run, "steps[\(index)]: workingDirectory \"\(relative)\" is not a folder inside the job's workspace")
      }
      return real
    }
  }

  private func environment(_ files: StepFiles) -> [String: String] {
    let claim = job.claim
    let facts = StepEnvironment.Facts(
      jobID: claim.id.text, attempt: claim.attempt, workspace: job.workspace.path, results: job.results.path,
      workerID: claim.worker, status: earlier.job.rawValue, earlier: earlier.steps.map(\.rawValue))
    return job.settings.environment.variables(
      facts, stepIndex: index, job: job.definition.environment, handedOn: variables.environment, step: step.environment,
      places: files.places)
  }
}

extension StepRun.End {
  /// Whether its failure is the step's own.
  fileprivate var mayBeTriedAgain: Bool {
    result.status == .failed || result.status == .timeout && !isJobTimedOut
  }

  /// Adds what earlier tries used and left.
  fileprivate mutating func add(_ earlier: StepRun.End) {
    if let usage = earlier.result.usage { result.usage?.add(usage) }
    result.endedProcesses += earlier.result.endedProcesses
    result.killed = result.killed || earlier.result.killed
    memoryLimit = memoryLimit ?? earlier.memoryLimit
    variables.remember(earlier.variables)
  }
}

extension StepResult {
  fileprivate init(_ step: Step, _ index: Int, _ outcome: StepOutcome) {
    let status: StepStatus =
      if outcome.timedOut { .timeout } else if outcome.stopped != nil { .canceled } else if outcome.end == .exited(0) {
        .success
      } else { .failed }
    self.init(
      index: index, command: step.run, status: status, exitCode: outcome.timedOut ? 124 : Int(outcome.end.exitCode),
      durationMs: outcome.duration.milliseconds, log: JobsDirectory.logPath(index), name: step.name,
      signal: outcome.end.signalName, timedOut: outcome.timedOut, endedProcesses: outcome.endedProcesses,
      killed: outcome.killed)
    usage = outcome.usage
  }

  /// Notes that the end of the job kept the step from its next try.
  fileprivate mutating func giveUp(_ status: StepStatus) {
    self.status = status
    if status == .timeout { (timedOut, exitCode) = (true, 124) }
  }
}
