import Glibc

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
