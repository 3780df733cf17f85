import Dispatch
import Glibc
package import Jobs
import Synchronization
import SystemPackage

/// Runs one step at a time: in a session of its own, with stdin from /dev/null, stdout and stderr in one pipe that is
/// copied into its log, default signal actions, no blocked signals and no other descriptors.
///
/// A step ends when its first process ends, not when the pipe closes. When `run` returns, nothing that the step started
/// is alive: processes left behind got SIGTERM, the grace period, and SIGKILL.
package struct StepRunner: Sendable {
  private let guardian: Guardian?

  /// `guardian`, if there is one, is told of each step, to end it if this process is killed.
  package init(guardian: Guardian?) {
    self.guardian = guardian
  }

  /// Runs the command to its end. A failed step is a value; only a step that cannot be started throws.
  ///
  /// The log holds all output then, and is not finished: further tries may follow.
  ///
  /// If `stop` was raised before, the step is started and ended at once. Canceling the task requests termination with
  /// the reason `canceled`.
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
      throw SpawnError(program: program, problem: "its arguments contain a NUL byte, which execve(2) cannot pass on")
    }
    let output: StepPipe
    let wakeup: Wakeup
    do {
      (wakeup, output) = (try Wakeup(), try StepPipe(into: log))
    } catch {
      throw SpawnError(program: program, problem: "the worker has no descriptors left (\(error))", errno: error)
    }
    // Create threads before processes: a step may exhaust the limits of both.
    let supervision = ThreadResult("step") { [guardian] in
      Result { () throws(SpawnError) in
        try StepSupervisor.run(command, arguments, output, guardian: guardian, stop: stop, wakeup: wakeup)
      }
    }
    let result = await withTaskCancellationHandler {
      await supervision.value()
    } onCancel: {
      stop.raise(.terminate, reason: .canceled)
    }
    await output.pump.finish()
    let (end, outcome) = try result.get()
    return StepOutcome(
      end: end, timedOut: outcome.timedOut, stopped: outcome.stopped, killed: outcome.killed,
      endedProcesses: outcome.ended.count, survivors: outcome.survivors, duration: began.duration(to: .now),
      usage: outcome.usage, memoryLimit: outcome.memoryLimit)
  }
}

/// How the process of a step ended.
package enum StepEnd: Sendable, Equatable {
  case exited(Int32)
  case signaled(Int32)

  /// The exit code as in a shell: 128 + n after signal n.
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

/// The outcome of a step that was started.
package struct StepOutcome: Sendable {
  /// How its first process ended.
  package var end: StepEnd
  /// Whether its timeout ended it. The caller decides whether that becomes exit code 124.
  package var timedOut: Bool
  /// Why it was asked to end; nil if it ended by itself or by its timeout before a request.
  package var stopped: StopReason?
  /// Whether SIGKILL was needed: a process outlived the grace period, or the stop request demanded it.
  package var killed: Bool
  /// How many processes, other than its first one, were still alive and had to be ended.
  package var endedProcesses: Int
  /// How many of them could not be ended, because they belong to another user or hang in the kernel; otherwise 0.
  package var survivors: Int
  /// The time from the spawn until nothing of the step was left, on the monotonic clock.
  package var duration: Duration
  /// What its processes used, of all that were reaped.
  package var usage: Usage
  /// The limit of memory, if the kernel ended a process because it was reached; otherwise nil.
  package var memoryLimit: MemoryLimit?
}

/// Blocking work on a thread of its own, whose result one task awaits. The thread is requested immediately, so that it
/// exists before the system's threads may be exhausted.
final class ThreadResult<Value: Sendable>: Sendable {
  private enum State {
    case running
    case awaited(CheckedContinuation<Value, Never>)
    case finished(Value)
  }

  private let state = Mutex(State.running)

  init(_ label: String, _ work: @escaping @Sendable () -> Value) {
    DispatchQueue(label: label).async { self.finish(work()) }
  }

  /// The result. May be awaited once.
  func value() async -> Value {
    await withCheckedContinuation { continuation in
      let finished: Value? = state.withLock { state in
        if case .finished(let value) = state { return value }
        state = .awaited(continuation)
        return nil
      }
      if let finished { continuation.resume(returning: finished) }
    }
  }

  private func finish(_ value: Value) {
    let waiter: CheckedContinuation<Value, Never>? = state.withLock { state in
      if case .awaited(let continuation) = state { return continuation }
      state = .finished(value)
      return nil
    }
    waiter?.resume(returning: value)
  }
}
