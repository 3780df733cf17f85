import CLinux
import Glibc
import SystemPackage

/// Runs one step at a time: in a session of its own, with stdin from /dev/null, stdout and stderr in one pipe that is
/// pumped into its log, default signal actions, nothing blocked and no other descriptor.
///
/// The end of the step is the end of its first process, never the end of the pipe. When `run` returns nothing that the
/// step started is alive: what it left behind got SIGTERM, the grace, and SIGKILL.
package struct StepRunner: Sendable {
  private let guardian: Guardian?

  /// `guardian`, if there is one, learns of each step, to end it should this process be killed.
  package init(guardian: Guardian?) {
    self.guardian = guardian
  }

  /// Runs the command to its end. A step that fails is a value; only one that cannot be started throws.
  ///
  /// `stop` may have been raised before: the step is then started and ended at once. Canceling the task is a request
  /// to terminate with the reason `canceled`.
  package func run(
    _ command: StepCommand, into log: StepLog, until stop: StopRequest
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
    let output: StepPipe
    let wakeup: Wakeup
    do {
      (wakeup, output) = (try Wakeup(), try StepPipe(into: log))
    } catch {
      throw SpawnError(program: program, problem: "the worker has no descriptors left for it (\(error))", errno: error)
    }
    // Threads before processes: a step may use up all that the system allows of both.
    let life = ThreadResult("step") { [guardian] in
      Result { () throws(SpawnError) in
        try StepLife(command, guardian, stop, wakeup).run(arguments, output)
      }
    }
    let result = await withTaskCancellationHandler {
      await life.value()
    } onCancel: {
      stop.raise(.terminate, reason: .canceled)
    }
    await output.pump.finish()
    let (end, watch) = try result.get()
    return StepOutcome(
      end: end, timedOut: watch.timedOut, stopped: watch.stopped, killed: watch.killed,
      endedProcesses: watch.ended.count, survivors: watch.survivors, duration: began.duration(to: .now),
      logBytes: log.length, logDropped: log.dropped, logError: log.error)
  }
}

/// A step from its spawn until it is reaped.
private struct StepLife {
  private let command: StepCommand
  private let guardian: Guardian?
  private let stop: StopRequest
  private let wakeup: Wakeup

  init(_ command: StepCommand, _ guardian: Guardian?, _ stop: StopRequest, _ wakeup: Wakeup) {
    self.command = command
    self.guardian = guardian
    self.stop = stop
    self.wakeup = wakeup
  }

  func run(_ arguments: [String], _ output: StepPipe) throws(SpawnError) -> (StepEnd, StepSupervisor.Outcome) {
    guardian?.revive()
    // What it said of an earlier step.
    _ = guardian?.hasEndedStep()
    let cgroup = StepCgroup.make()
    if let cgroup { guardian?.watch(cgroup) }
    let process: StepProcess
    do throws(SpawnError) {
      process = try spawn(arguments, output, in: cgroup)
    } catch {
      cgroup?.end()
      guardian?.forgetAll()
      throw error
    }
    let pidfd = process.descriptor()
    defer { if pidfd >= 0 { close(pidfd) } }
    let marker = command.environment[StepEnvironment.markerName].map { "\(StepEnvironment.markerName)=\($0)" }
    let processes = StepProcesses(
      leader: process.pid, start: ProcessEntry(process.pid)?.start ?? 0, pipe: output.inode, marker: marker)
    guardian?.watch(session: processes.leader, since: processes.start, pipe: processes.pipe)
    stop.add(wakeup)
    var watch = StepSupervisor(
      processes, in: cgroup, pidfd: pidfd, guardian: guardian, timeout: command.timeout, grace: command.grace, stop: stop,
      wakeup: wakeup)
    var outcome = watch.run()
    stop.remove(wakeup)
    if guardian?.hasEndedStep() == true {
      stop.raise(.kill, reason: .lapsed)
      outcome.stopped = stop.reason
    }
    cgroup?.end()
    guardian?.forgetAll()
    let end = process.reap()
    // Not before its status was taken.
    ProcessTree.unspare(process.pid)
    // What ended with the cgroup.
    ProcessTree.reapOrphans()
    return (end, outcome)
  }

  private func spawn(
    _ arguments: [String], _ output: StepPipe, in cgroup: StepCgroup?
  ) throws(SpawnError) -> StepProcess {
    // The step alone holds the pipe from now on.
    defer { close(output.writeEnd.rawValue) }
    ProcessTree.willSpawn()
    do throws(SpawnError) {
      let process = try StepProcess.spawn(arguments, command, in: cgroup, output: output.writeEnd)
      ProcessTree.didSpawn(process.pid)
      return process
    } catch {
      ProcessTree.didSpawn(nil)
      throw error
    }
  }
}

/// What a step writes to, and what carries that into its log.
private struct StepPipe: Sendable {
  private static let size: Int32 = 1 << 20

  /// For the step. To be closed by whoever gives it to it.
  let writeEnd: FileDescriptor
  let inode: UInt64
  let pump: LogPump

  init(into log: StepLog) throws(Errno) {
    var ends: [Int32] = [-1, -1]
    guard linux_pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
    // An unprivileged user with many pipes gets smaller ones: slower, but no reason to fail.
    _ = linux_set_pipe_size(ends[1], Self.size)
    var status = stat()
    fstat(ends[1], &status)
    inode = UInt64(status.st_ino)
    writeEnd = FileDescriptor(rawValue: ends[1])
    do throws(Errno) {
      pump = try LogPump(from: FileDescriptor(rawValue: ends[0]), into: log)
    } catch {
      for end in ends { close(end) }
      throw error
    }
  }
}

/// How the process of a step ended.
package enum StepEnd: Sendable, Equatable {
  case exited(Int32)
  case signaled(Int32)

  /// The exit code as a shell gives it: 128 + n after signal n.
  package var exitCode: Int32 {
    switch self {
    case .exited(let code): code
    case .signaled(let number): 128 + number
    }
  }

  /// The name of the signal that ended it, such as `SIGKILL`; nil after an exit.
  package var signalName: String? {
    guard case .signaled(let number) = self else { return nil }
    return Self.names[number] ?? "SIG\(number)"
  }

  private static let names: [Int32: String] = [
    SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP", SIGABRT: "SIGABRT",
    SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGUSR1: "SIGUSR1", SIGSEGV: "SIGSEGV",
    SIGUSR2: "SIGUSR2", SIGPIPE: "SIGPIPE", SIGALRM: "SIGALRM", SIGTERM: "SIGTERM", SIGSTKFLT: "SIGSTKFLT",
    SIGVTALRM: "SIGVTALRM", SIGPROF: "SIGPROF", SIGXCPU: "SIGXCPU", SIGXFSZ: "SIGXFSZ", SIGIO: "SIGIO",
    SIGPWR: "SIGPWR", SIGSYS: "SIGSYS",
  ]
}

/// What came of a step that was started.
package struct StepOutcome: Sendable {
  /// How its first process ended.
  package var end: StepEnd
  /// Its own timeout is what ended it. Whether that becomes exit code 124 is for the caller to say.
  package var timedOut: Bool
  /// Why it was asked to end; nil if nobody asked before it ended by itself or by its timeout.
  package var stopped: StopReason?
  /// SIGKILL was needed: something outlived the grace, or the stop request said so.
  package var killed: Bool
  /// How many processes, its own first one not counted, were still alive and had to be ended.
  package var endedProcesses: Int
  /// How many of them could not be ended: they belong to another user, or hang in the kernel. 0 but for these.
  package var survivors: Int
  /// From the spawn until nothing of the step was left, on the monotonic clock.
  package var duration: Duration
  /// Length of the log file.
  package var logBytes: Int64
  /// Bytes that the step wrote and that are not in the log: the middle, over the limit, and what could not be written.
  package var logDropped: Int64
  /// Why bytes could not be written, as a sentence; nil if the log only met its limit, or not even that.
  package var logError: String?
}
