import CLinux
import Glibc
import Logging
import Steps
import Synchronization

/// TERM, INT, HUP and QUIT.
///
/// The first thread only waits for them, and all other threads block them: a thread that hangs in a call to the volume does not
/// delay a signal. The listener says what a signal does at the moment.
enum Signals {
  private static let listener = Mutex<(@Sendable (Int32) -> Void)?>(nil)
  private static let overdue = Mutex<Overdue?>(nil)
  /// If HUP is ignored at the start, as by nohup(1), it stays ignored: the process outlives its terminal.
  private static let numbers =
    linux_is_ignored(SIGHUP) != 0 ? [SIGTERM, SIGINT, SIGQUIT] : [SIGTERM, SIGINT, SIGHUP, SIGQUIT]
  /// How long after the grace a worker may still run that must end at once.
  private static let patience = Duration.seconds(20)

  private static let isInterrupted = Atomic(false)
  private static let isFinishing = Atomic(false)

  private struct Overdue {
    let at: ContinuousClock.Instant
    let leave: @Sendable () -> Void
  }

  /// Ends the process at once on a signal, with status 0 or, as ``endInterrupted()``, by INT: it holds nothing yet. Ends
  /// with ``block(_:)``.
  ///
  /// The parent process may have blocked the signals: they are unblocked here.
  static func leaveAtOnce() {
    for number in numbers {
      if number == SIGINT, getpid() != 1 { signal(number, SIG_DFL) } else { _ = linux_exit_on_signal(number) }
    }
    mask(SIG_UNBLOCK, numbers)
  }

  /// Blocks them until ``waitForEver()``, which calls `listener`. Call it while there is one thread: a thread inherits the mask of
  /// the thread that starts it (pthread_sigmask(3)).
  static func block(_ listener: @escaping @Sendable (Int32) -> Void) {
    self.listener.withLock { $0 = listener }
    mask(SIG_BLOCK, numbers)
  }

  /// Calls `body` for each signal from now on.
  fileprivate static func listen(with body: @escaping @Sendable (Int32) -> Void) {
    listener.withLock { $0 = body }
  }

  /// Ends the process by the signal itself, as without a listener.
  @Sendable static func takeDefaultEffect(_ number: Int32) {
    signal(number, SIG_DFL)
    mask(SIG_UNBLOCK, [number])
    Glibc.raise(number)
  }

  /// Ends a worker that INT has stopped by that signal: a shell leaves a loop only then (signal(7); a program that exits may
  /// have used the signal for something else). The first process of a container has no default effects.
  static func endInterrupted() {
    guard isInterrupted.load(ordering: .relaxed), getpid() != 1 else { return }
    takeDefaultEffect(SIGINT)
  }

  /// The signals that let the worker's job come to its end.
  enum Finishing {
    case onQuit
    /// The first TERM, too; the second ends the job.
    case onTermAndQuit

    fileprivate func includes(_ number: Int32) -> Bool {
      number == SIGQUIT || number == SIGTERM && self == .onTermAndQuit
    }
  }

  /// The first signal stops the worker in order, the second at once. After the second it has the grace and 20 seconds
  /// to publish the result; then the process ends, since a call may hang for ever. The next worker takes over its claim.
  ///
  /// Only TERM and INT count as the second: a closing terminal and its shell often send a HUP each, and service managers
  /// send one after TERM. A signal of `finishing` calls `finish` instead, once; without `finish` it stops as any other:
  /// there is no job yet.
  static func stop(
    _ stop: StopRequest, _ logger: Logger, grace: Duration, finishing: Finishing = .onQuit,
    finish: (@Sendable () -> Void)? = nil
  ) {
    let limit = min(grace, .seconds(1 << 40)) + patience
    listener.withLock {
      $0 = { number in
        if let finish, finishing.includes(number), !stop.isShutdown {
          let isFirst = !isFinishing.exchange(true, ordering: .relaxed)
          guard !isFirst, number == SIGTERM else {
            logger.notice("\(name(of: number)): leaving when the job has ended")
            return finish()
          }
        }
        let isOrder = number == SIGTERM || number == SIGINT
        guard isOrder || !isFinishing.load(ordering: .relaxed) else { return }
        let level: StopLevel = stop.isShutdown && isOrder ? .kill : .terminate
        if number == SIGINT, !stop.isShutdown { isInterrupted.store(true, ordering: .relaxed) }
        stop.raise(level, reason: .shutdown)
        if level == .kill {
          overdue.withLock { overdue in
            guard overdue == nil else { return }
            overdue = Overdue(at: .now + limit) {
              logger.error(
                """
                the worker still runs \(limit.components.seconds) s after the second signal: the volume may hang; exiting, and \
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
    case SIGQUIT: "SIGQUIT"
    default: "SIGTERM"
    }
  }

  /// Waits for the signals on this thread, for ever.
  static func waitForEver() -> Never {
    let signals = set(of: numbers)
    while true {
      let due = overdue.withLock { $0 }
      let number = withUnsafePointer(to: signals) { signals in
        due == nil ? sigwaitinfo(signals, nil) : linux_await_signal(signals)
      }
      if number > 0 { listener.withLock { $0 }?(number) }
      if let due, due.at <= .now { due.leave() }
    }
  }

  private static func mask(_ how: Int32, _ numbers: [Int32]) {
    var signals = set(of: numbers)
    pthread_sigmask(how, &signals, nil)
  }

  private static func set(of numbers: [Int32]) -> sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in numbers { sigaddset(&signals, number) }
    return signals
  }
}

/// TERM and INT in a command that is no worker, passed to the innermost handler; without one they end the program.
final class Interrupts: Sendable {
  typealias Handler = @Sendable () async -> Void

  private let handlers = Mutex<[Handler]>([])
  /// A volume that hangs can hold all threads that tasks share.
  private let thread = TaskThread("interrupts")

  /// Listens from now on. HUP and QUIT keep their default effects.
  init() {
    Signals.listen { [self] number in
      guard number != SIGHUP, number != SIGQUIT else { return Signals.takeDefaultEffect(number) }
      guard let handler = handlers.withLock({ $0.last }) else { exit(ExitStatus.interrupted.rawValue) }
      // The listener must get the next signal while the handler still runs.
      Task(executorPreference: thread) { await handler() }
    }
  }

  /// Calls `handler` at each signal while `body` runs.
  func handled<T: Sendable>(
    by handler: @escaping Handler, during body: () async throws -> T
  ) async rethrows -> T {
    handlers.withLock { $0.append(handler) }
    defer { handlers.withLock { _ = $0.popLast() } }
    return try await body()
  }
}
