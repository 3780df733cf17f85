import CLinux
import Glibc
import Logging
import Steps
import Synchronization

/// What asks a worker to stop: TERM, INT and HUP.
///
/// The first thread does nothing but wait for them, and all others keep them blocked: a thread that hangs in a call to the
/// volume does not delay a signal.
enum StopSignals {
  private static let listener = Mutex<(@Sendable (Int32) -> Void)?>(nil)
  private static let overdue = Mutex<Overdue?>(nil)
  /// Whoever started this process with HUP ignored, as nohup(1) does, wants it to outlive the terminal.
  private static let numbers = linux_is_ignored(SIGHUP) != 0 ? [SIGTERM, SIGINT] : [SIGTERM, SIGINT, SIGHUP]
  /// How long, beyond the grace, what was asked to end at once may take for that.
  private static let patience = Duration.seconds(20)

  private struct Overdue {
    let at: ContinuousClock.Instant
    let leave: @Sendable () -> Void
  }

  /// They end the process at once and well, while it holds nothing: until somebody listens for them.
  ///
  /// Whoever started this process may have blocked them: they are unblocked here.
  static func leaveAtOnce() {
    for number in numbers { _ = linux_exit_on_signal(number) }
    var signals = set
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// They have their default effect again: for commands that are no worker.
  static func restoreDefault() {
    for number in numbers { signal(number, SIG_DFL) }
  }

  /// Blocks them until ``listen()``, which then ends the process, until ``raise(_:_:grace:)``, with what `status` says of the
  /// signal. Call it while there is one thread: a thread blocks what the thread that starts it blocks.
  static func block(endingWith status: @escaping @Sendable (Int32) -> Int32) {
    listener.withLock { $0 = { _exit(status($0)) } }
    var signals = set
    pthread_sigmask(SIG_BLOCK, &signals, nil)
  }

  /// The first asks the worker to stop in order, the second at once; then it has the grace and 20 seconds to publish that, or
  /// it ends as it is: what it waits for may never come. The claim is then for the next worker.
  ///
  /// A second HUP is none: a terminal that is closed and the shell in it often send one each.
  static func raise(_ stop: StopRequest, _ logger: Logger, grace: Duration) {
    let limit = min(grace, .seconds(1 << 40)) + patience
    listener.withLock {
      $0 = { number in
        let level: StopLevel = stop.isShutdown && number != SIGHUP ? .kill : .terminate
        stop.raise(level, reason: .shutdown)
        if level == .kill {
          overdue.withLock { overdue in
            guard overdue == nil else { return }
            overdue = Overdue(at: .now + limit) {
              logger.error(
                """
                still here \(limit.components.seconds) s after the second signal: something hangs, perhaps the volume; \
                leaving the job to the next worker
                """)
              _exit(ExitStatus.volume.rawValue)
            }
          }
        }
        logger.notice("\(name(of: number)): \(level == .kill ? "ending at once" : "stopping")")
      }
    }
  }

  private static func name(of number: Int32) -> String {
    switch number {
    case SIGINT: "SIGINT"
    case SIGHUP: "SIGHUP"
    default: "SIGTERM"
    }
  }

  /// Waits for them on this thread, for ever.
  static func listen() -> Never {
    let signals = set
    while true {
      let due = overdue.withLock { $0 }
      let number = withUnsafePointer(to: signals) { signals in
        due == nil ? sigwaitinfo(signals, nil) : linux_await_signal(signals)
      }
      if number > 0 { listener.withLock { $0 }?(number) }
      if let due, due.at <= .now { due.leave() }
    }
  }

  private static var set: sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in numbers { sigaddset(&signals, number) }
    return signals
  }
}
