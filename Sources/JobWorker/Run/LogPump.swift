import CLinux
import Glibc
import SystemPackage

/// The thread that carries what a step writes from the pipe into its log.
///
/// A byte is in the file at most 10 ms after it was written (plus what the volume itself takes), and on its way to the
/// volume's server within a second. In between the thread sleeps, so that a step that writes many small pieces neither
/// wakes it nor waits for it at each one: the pipe collects them.
final class LogPump: Sendable {
  private let finished: Wakeup
  private let thread: ThreadResult<Void>

  /// Starts to read `pipe`, which it closes at its end.
  init(from pipe: FileDescriptor, into log: StepLog) throws(Errno) {
    let finished = try Wakeup()
    self.finished = finished
    thread = ThreadResult("log-pump") {
      var loop = PumpLoop(pipe: pipe.rawValue, finished: finished, log: log)
      loop.run()
    }
  }

  /// Takes what is in the pipe at this moment, whoever may still hold its other end, and ends.
  func finish() async {
    finished.signal()
    await thread.value()
  }
}

private struct PumpLoop {
  static let bufferSize = 1 << 20
  static let longestPause = Duration.milliseconds(10)

  let pipe: Int32
  let finished: Wakeup
  let log: StepLog
  private let capacity: Int
  private let buffer: UnsafeMutableRawBufferPointer
  private var isOpen = true
  private var pushAt: ContinuousClock.Instant?
  private var notBefore = ContinuousClock.now
  private var lastRead = ContinuousClock.now

  init(pipe: Int32, finished: Wakeup, log: StepLog) {
    self.pipe = pipe
    self.finished = finished
    self.log = log
    capacity = max(4096, Int(linux_pipe_size(pipe)))
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 4096)
    _ = fcntl(pipe, F_SETFL, fcntl(pipe, F_GETFL) | O_NONBLOCK)
  }

  mutating func run() {
    while true {
      var entries = [
        pollfd(fd: finished.descriptor, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isOpen ? pipe : -1, events: Int16(POLLIN), revents: 0),
      ]
      _ = poll(&entries, 2, pushAt.map { (ContinuousClock.now.duration(to: $0)).pollTimeout } ?? -1)
      if entries[0].revents != 0 { break }
      if entries[1].revents != 0 { take() }
      pushIfDue()
    }
    drain()
    log.finish()
    buffer.deallocate()
    close(pipe)
  }

  /// Reads once, and then lets the pipe collect as much as is worth the next reading.
  private mutating func take() {
    let count = read(pipe, buffer.baseAddress, buffer.count)
    guard count > 0 else {
      isOpen = count < 0 && (errno == EAGAIN || errno == EINTR)
      return
    }
    let now = ContinuousClock.now
    let elapsed = lastRead.duration(to: now)
    lastRead = now
    log.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    // Within a second of the first byte that is not on its way, and a second at least after the push before.
    if pushAt == nil { pushAt = max(now + .milliseconds(900), notBefore) }
    let enough = capacity / 4
    guard count < enough else { return }
    // The time in which, at the pace of this reading, a quarter of the pipe fills.
    let pause = min(Self.longestPause, elapsed * (Double(enough) / Double(count)))
    if pause >= .milliseconds(1) { finished.wait(atMost: pause) }
  }

  private mutating func pushIfDue() {
    guard let due = pushAt, due <= .now else { return }
    pushAt = nil
    notBefore = due + .seconds(1)
    log.push()
  }

  /// Takes one pipe's fill: all that was written before, and no more, should somebody write for ever.
  private func drain() {
    var rest = isOpen ? capacity : 0
    while rest > 0 {
      let count = read(pipe, buffer.baseAddress, min(rest, buffer.count))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      log.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      rest -= count
    }
  }
}
