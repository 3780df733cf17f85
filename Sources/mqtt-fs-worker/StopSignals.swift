import CLinux
import Dispatch
import Glibc
import JobWorker
import Logging
import Synchronization

/// What asks a worker to stop: TERM and INT.
enum StopSignals {
  private static let numbers = [SIGTERM, SIGINT]

  /// They end the process at once and well, while it holds nothing: until somebody listens for them.
  ///
  /// They are not held back until then: the first thread takes them. Those that whoever started this process held back are
  /// let go here.
  static func leaveAtOnce() {
    for number in numbers { _ = linux_exit_on_signal(number) }
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in numbers { sigaddset(&signals, number) }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// They have their default effect again: for commands that are no worker.
  static func restoreDefault() {
    for number in numbers { signal(number, SIG_DFL) }
  }

  /// The first asks the worker to stop in order, the second at once. Throws when there are no descriptors left.
  static func raise(_ stop: StopRequest, _ logger: Logger) throws {
    var ends: [Int32] = [-1, -1]
    guard linux_pipe(&ends) == 0 else { throw Misconfiguration("no descriptors are left; raise the limit (ulimit -n)") }
    for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    let hear = { @Sendable [end = ends[0], reading = Mutex(())] in
      reading.withLock { _ in
        var number: UInt8 = 0
        while read(end, &number, 1) == 1 {
          let level: StopLevel = stop.isShutdown ? .kill : .terminate
          let name = Int32(number) == SIGINT ? "SIGINT" : "SIGTERM"
          logger.notice("\(name): \(level == .kill ? "ending at once" : "stopping")")
          stop.raise(level, reason: .shutdown)
        }
      }
    }
    let source = DispatchSource.makeReadSource(fileDescriptor: ends[0], queue: DispatchQueue(label: "stop-signals"))
    // It holds itself: it is there as long as the process.
    source.setEventHandler { withExtendedLifetime(source, hear) }
    source.resume()
    MainThread.take(numbers, to: ends[1], hear)
  }
}
