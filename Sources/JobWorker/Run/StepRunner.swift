import CLinux
import Glibc
import Subprocess
import SystemPackage

/// Runs one step at a time: in a session of its own, with stdin from /dev/null, stdout and stderr in one pipe that is
/// pumped into its log, default signal actions, nothing blocked and no other descriptor.
///
/// The end of the step is the end of its first process, never the end of the pipe. When `run` returns nothing that the
/// step started is alive: what it left behind got SIGTERM, the grace, and SIGKILL.
public struct StepRunner: Sendable {
  private let guardian: Guardian?

  /// `guardian`, if there is one, learns of each step, to end it should this process be killed.
  public init(guardian: Guardian?) {
    self.guardian = guardian
  }

  /// Runs the command to its end. A step that fails is a value; only one that cannot be started throws.
  ///
  /// `stop` may have been raised before: the step is then started and ended at once. Canceling the task is a request
  /// to terminate with the reason `canceled`.
  public func run(
    _ command: StepCommand, into log: StepLog, until stop: StopRequest
  ) async throws(SpawnError) -> StepOutcome {
    // A task of its own: swift-subprocess would otherwise answer cancellation by killing the shell alone, at once.
    let task = Task { () -> Result<StepOutcome, SpawnError> in
      do throws(SpawnError) {
        return .success(try await start(command, log, stop))
      } catch {
        return .failure(error)
      }
    }
    let result = await withTaskCancellationHandler {
      await task.value
    } onCancel: {
      stop.raise(.terminate, reason: .canceled)
    }
    return try result.get()
  }

  private func start(
    _ command: StepCommand, _ log: StepLog, _ stop: StopRequest
  ) async throws(SpawnError) -> StepOutcome {
    let began = ContinuousClock.now
    let (arguments, script) = try ScriptFile.arguments(of: command)
    defer { withExtendedLifetime(script) {} }
    guard let program = arguments.first, !program.isEmpty else {
      throw SpawnError(program: "", problem: "the command is empty; give a program and its arguments")
    }
    guard !arguments.contains(where: { $0.utf8.contains(0) }) else {
      throw SpawnError(program: program, problem: "its arguments hold a NUL byte, which no program can be given")
    }
    let resources: Resources
    do {
      resources = try Resources(command, log, stop)
    } catch {
      throw SpawnError(program: program, problem: "the worker has no descriptors left for it (\(error))", errno: error)
    }
    let ending: StepEnding.Outcome
    let status: TerminationStatus
    ProcessTree.willSpawn()
    do {
      let result = try await Subprocess.run(
        Self.configuration(program, arguments, command), input: .none,
        output: .fileDescriptor(resources.writeEnd, closeAfterSpawningProcess: true), error: .combinedWithOutput
      ) { execution in
        await watch(execution.processIdentifier, command, resources)
      }
      ending = result.closureResult
      status = result.terminationStatus
      // Not before its status was taken.
      ProcessTree.unspare(result.processIdentifier.value)
    } catch {
      if resources.ending.abandon() { ProcessTree.didSpawn(nil) }
      await resources.pump.finish()
      throw SpawnError(program: program, command, error)
    }
    await resources.pump.finish()
    return StepOutcome(
      end: StepEnd(status), timedOut: ending.timedOut, stopped: ending.stopped, killed: ending.killed,
      endedProcesses: ending.ended.count, survivors: ending.survivors, duration: began.duration(to: .now),
      logBytes: log.length, logDropped: log.dropped, logError: log.error)
  }

  private func watch(
    _ process: ProcessIdentifier, _ command: StepCommand, _ resources: Resources
  ) async -> StepEnding.Outcome {
    let marker = command.environment[StepEnvironment.markerName].map { "\(StepEnvironment.markerName)=\($0)" }
    let lineage = StepLineage(
      leader: process.value, start: ProcessEntry(process.value)?.start ?? 0, pipe: resources.pipeInode, marker: marker)
    ProcessTree.didSpawn(process.value)
    guardian?.watch(session: lineage.leader, since: lineage.start, pipe: lineage.pipe)
    let outcome = await resources.ending.watch(
      .init(lineage: lineage, pidfd: process.processDescriptor, guardian: guardian))
    guardian?.forgetAll()
    return outcome
  }

  private static func configuration(
    _ program: String, _ arguments: [String], _ command: StepCommand
  ) -> Configuration {
    var options = PlatformOptions()
    options.createSession = true
    let environment = command.environment.map { (Environment.Key(stringLiteral: $0), $1) }
    return Configuration(
      executable: program.contains("/") ? .path(FilePath(program)) : .name(program),
      // The name as it was given, as a shell would: else `$0` were the path that it was found under.
      arguments: Arguments(executablePathOverride: program, remainingValues: Array(arguments.dropFirst())),
      environment: .custom(Dictionary(environment, uniquingKeysWith: { first, _ in first })),
      workingDirectory: command.workingDirectory, platformOptions: options)
  }
}

/// What there is of a step besides its process. All of it exists before the process does.
private struct Resources: Sendable {
  static let pipeSize: Int32 = 1 << 20

  let writeEnd: FileDescriptor
  let pipeInode: UInt64
  let pump: LogPump
  let ending: StepEnding

  init(_ command: StepCommand, _ log: StepLog, _ stop: StopRequest) throws(Errno) {
    let ending = try StepEnding(timeout: command.timeout, grace: command.grace, stop: stop)
    do throws(Errno) {
      var ends: [Int32] = [-1, -1]
      guard linux_pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
      // An unprivileged user with many pipes gets smaller ones: slower, but no reason to fail.
      _ = linux_set_pipe_size(ends[1], Self.pipeSize)
      var status = stat()
      fstat(ends[1], &status)
      pipeInode = UInt64(status.st_ino)
      writeEnd = FileDescriptor(rawValue: ends[1])
      do throws(Errno) {
        pump = try LogPump(from: FileDescriptor(rawValue: ends[0]), into: log)
      } catch {
        for end in ends { close(end) }
        throw error
      }
      self.ending = ending
    } catch {
      _ = ending.abandon()
      throw error
    }
  }
}

extension StepEnd {
  init(_ status: TerminationStatus) {
    switch status {
    case .exited(let code): self = .exited(code)
    case .signaled(let number): self = .signaled(number)
    }
  }
}

extension SpawnError {
  /// What swift-subprocess said, in words that tell what to do.
  init(program: String, _ command: StepCommand, _ error: any Error) {
    guard let error = error as? SubprocessError else {
      self.init(program: program, problem: "\(error)")
      return
    }
    let problem: String
    switch error.code {
    case .executableNotFound where program.contains("/"):
      problem = "there is no such program, or it or the interpreter in its first line may not be executed"
    case .executableNotFound:
      let path = command.environment["PATH"] ?? ""
      problem = "no such program in PATH (\(path)); install it where the worker runs, or give its path"
    case .failedToChangeWorkingDirectory:
      problem = "its working directory '\(command.workingDirectory)' cannot be entered"
    default:
      switch error.underlyingError {
      case .some(.argListTooLong): problem = "its arguments and environment are too long for execve(2)"
      default: problem = "\(error)"
      }
    }
    let reason = error.underlyingError.map { " (\($0))" } ?? ""
    self.init(program: program, problem: problem + reason, errno: error.underlyingError)
  }
}
