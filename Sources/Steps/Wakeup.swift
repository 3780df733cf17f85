import CLinux
import Glibc
import SystemPackage

/// A descriptor that becomes readable when it is signalled, to wake a thread from `poll(2)`. It stays readable until
/// `clear()`. eventfd(2).
package final class Wakeup: Sendable {
  package let descriptor: Int32

  init() throws(Errno) {
    descriptor = linux_eventfd()
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
  }

  deinit { close(descriptor) }

  package func signal() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  package func clear() {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
  }

  /// Waits until it is signalled, but no longer than `limit`.
  @discardableResult
  package func wait(atMost limit: Duration) -> Readiness {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, limit.pollTimeout) > 0 ? .ready : .timedOut
  }

  package enum Readiness { case ready, timedOut }
}

extension Duration {
  /// The timeout for poll(2): whole milliseconds, rounded up so that the wait is not too short; never infinite.
  var pollTimeout: Int32 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    guard seconds < 1_000_000 else { return 1_000_000_000 }
    return Int32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
