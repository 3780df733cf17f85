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
  private let reader: PipeReader
  private let thread: ThreadResult<Void>

  /// Starts to read `pipe`, which it closes at its end.
  init(from pipe: FileDescriptor, into log: StepLog) throws(Errno) {
    let finished = try Wakeup()
    let reader = PipeReader(pipe.rawValue)
    (self.finished, self.reader) = (finished, reader)
    thread = ThreadResult("log-pump") {
      reader.read {
        var loop = PumpLoop(reader: reader, finished: finished, log: log)
        loop.run()
      }
    }
  }

  /// Takes what is in the pipe at this moment, whoever may still hold its other end, and ends.
  func finish() async {
    finished.signal()
    reader.interrupt()
    await thread.value()
  }
}

private struct PumpLoop {
  static let bufferSize = 1 << 20
  static let longestPause = Duration.milliseconds(10)

  let reader: PipeReader
  let finished: Wakeup
  let log: StepLog
  private let capacity: Int
  private let buffer: UnsafeMutableRawBufferPointer
  private var isOpen = true
  private var pause = Duration.zero
  private var pushAt: ContinuousClock.Instant?
  private var notBefore = ContinuousClock.now
  private var lastRead = ContinuousClock.now

  init(reader: PipeReader, finished: Wakeup, log: StepLog) {
    self.reader = reader
    self.finished = finished
    self.log = log
    capacity = max(4096, Int(linux_pipe_size(reader.pipe)))
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 4096)
  }

  mutating func run() {
    while finished.wait(atMost: isOpen ? pause : untilPush) == .timedOut {
      if isOpen { take() }
      pushIfDue()
    }
    drain()
    log.finish()
    buffer.deallocate()
  }

  private var untilPush: Duration { pushAt.map { ContinuousClock.now.duration(to: $0) } ?? .seconds(3600) }

  /// Reads once, and then lets the pipe collect as much as is worth the next reading.
  private mutating func take() {
    if pushAt == nil {
      // Nothing but output or the end is waited for.
      reader.block()
      if finished.wait(atMost: .zero) == .ready { return }
    } else {
      reader.doNotBlock()
    }
    let count = reader.read(into: buffer)
    guard count > 0 else {
      isOpen = count < 0 && (errno == EAGAIN || errno == EINTR)
      if isOpen { awaitOutput() }
      return
    }
    let now = ContinuousClock.now
    let elapsed = lastRead.duration(to: now)
    lastRead = now
    log.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    // Within a second of the first byte that is not on its way, and a second at least after the push before.
    if pushAt == nil { pushAt = max(now + .milliseconds(900), notBefore) }
    // The time in which, at the pace of this reading, a quarter of the pipe fills.
    let enough = capacity / 4
    pause = count < enough ? min(Self.longestPause, elapsed * (Double(enough) / Double(count))) : .zero
    if pause < .milliseconds(1) { pause = .zero }
  }

  /// The pipe is empty: one that filled fast is waited for, another looked at again after a pause.
  ///
  /// From the first poll(2) of a pipe on, the kernel looks for whom to wake at each write(2) to it: a step that writes many
  /// small pieces would be a sixth slower.
  private mutating func awaitOutput() {
    guard pause == .zero else { return pause = Self.longestPause }
    var entries = [
      pollfd(fd: finished.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: reader.pipe, events: Int16(POLLIN), revents: 0),
    ]
    _ = poll(&entries, 2, untilPush.pollTimeout)
  }

  private mutating func pushIfDue() {
    guard let due = pushAt, due <= .now else { return }
    pushAt = nil
    notBefore = due + .seconds(1)
    log.push()
  }

  /// Takes one pipe's fill: all that was written before, and no more, should somebody write for ever.
  private func drain() {
    reader.doNotBlock()
    var rest = isOpen ? capacity : 0
    while rest > 0 {
      let count = reader.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(rest, buffer.count)]))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      log.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      rest -= count
    }
  }
}
