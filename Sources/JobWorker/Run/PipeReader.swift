import CLinux
import Glibc
import Synchronization

/// The end of a pipe from which one thread reads, in which it can be interrupted: poll(2) could wait for a pipe and for
/// something else at once, but makes every write(2) to that pipe dearer.
final class PipeReader: Sendable {
  /// What ends a read(2) that waits. By default it is ignored, and nobody sends it to a process that has no sockets with
  /// urgent data (socket(7)).
  private static let signal: Int32 = {
    _ = linux_interrupt_on_signal(SIGURG)
    return SIGURG
  }()

  /// Not to be used behind `read`.
  let pipe: Int32
  /// The thread that reads; `nil` before and afterwards.
  private let thread = Mutex<pthread_t?>(nil)

  init(_ pipe: Int32) {
    self.pipe = pipe
    _ = Self.signal
  }

  /// Has `body` read on this thread, and closes the pipe after it.
  func read(_ body: () -> Void) {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, Self.signal)
    var before = sigset_t()
    pthread_sigmask(SIG_UNBLOCK, &signals, &before)
    thread.withLock { $0 = pthread_self() }
    body()
    thread.withLock { $0 = nil }
    pthread_sigmask(SIG_SETMASK, &before, nil)
    close(pipe)
  }

  /// From now on a read of an empty pipe waits. Look afterwards whether that is still wanted: `interrupt` may have come first.
  func block() { _ = fcntl(pipe, F_SETFL, 0) }

  /// From now on a read of an empty pipe fails with EAGAIN.
  func doNotBlock() { _ = fcntl(pipe, F_SETFL, O_NONBLOCK) }

  /// read(2).
  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    Glibc.read(pipe, buffer.baseAddress, buffer.count)
  }

  /// From now on no read waits, nor does one that waits already.
  func interrupt() {
    thread.withLock { thread in
      guard let thread else { return }
      // First: a read that is not begun when the signal comes finds that.
      doNotBlock()
      pthread_kill(thread, Self.signal)
    }
  }
}
