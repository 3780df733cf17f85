import Glibc
import Jobs

/// What processes used that ended and were reaped, each with those that it reaped itself: getrusage(2), wait4(2).
///
/// A process that its parent never waits for is counted if it becomes an orphan of the worker.
struct ProcessUsage: Sendable, Equatable {
  /// CPU time in microseconds.
  private var (user, system) = (0, 0)
  private var maxRss = 0

  /// Adds the use of one process.
  mutating func add(_ used: rusage) {
    user += used.ru_utime.tv_sec * 1_000_000 + Int(used.ru_utime.tv_usec)
    system += used.ru_stime.tv_sec * 1_000_000 + Int(used.ru_stime.tv_usec)
    // In KiB.
    maxRss = max(maxRss, used.ru_maxrss * 1024)
  }

  /// In the units of a result.
  var usage: Usage { Usage(userMs: user / 1000, systemMs: system / 1000, maxRssBytes: maxRss) }
}
