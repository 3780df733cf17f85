import CLinux
import Glibc
import SystemPackage

/// The thread that copies a step's output from the pipe into its log.
///
/// A byte is in the file a few milliseconds after it was written (plus the volume's own time), and on its way to the
/// volume's server within a second.
final class LogPump: Sendable {
  private let finished: Wakeup
  private let thread: ThreadResult<Void>

  /// Starts to read `pipe`, and closes it at the end.
  init(from pipe: FileDescriptor, into log: StepLog) throws(Errno) {
    let finished = try Wakeup()
    self.finished = finished
    // poll(2) precedes each read except the last ones, which must not block.
    guard fcntl(pipe.rawValue, F_SETFL, O_NONBLOCK) == 0 else { throw Errno(rawValue: errno) }
    thread = ThreadResult("log-pump") {
      var loop = PumpLoop(pipe: pipe.rawValue, finished: finished, log: log)
      loop.run()
      close(pipe.rawValue)
    }
  }

  /// Reads the current content of the pipe, even if other processes still hold its write end, and ends.
  func finish() async {
    finished.signal()
    await thread.value()
  }
}

private struct PumpLoop {
  static let bufferSize = 1 << 20
  /// Reads shorter than this show that the step writes small pieces.
  static let smallPiece = 4096
  /// How long the pipe then collects them, so that the step does not wake this thread for each one.
  static let pause = Duration.milliseconds(4)

  let pipe: Int32
  let finished: Wakeup
  let log: StepLog
  private let buffer: UnsafeMutableRawBufferPointer
  private var isOpen = true
  private var pushAt: ContinuousClock.Instant?
  private var notBefore = ContinuousClock.now

  init(pipe: Int32, finished: Wakeup, log: StepLog) {
    self.pipe = pipe
    self.finished = finished
    self.log = log
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 4096)
  }

  mutating func run() {
    while !awaitEvent() {
      let count = take(atMost: buffer.count)
      pushIfDue()
      if count > 0, count < Self.smallPiece { finished.wait(atMost: Self.pause) }
    }
    drain()
    log.flush()
    buffer.deallocate()
  }

  /// Waits for output, for the next push, and for the end. Returns whether the end has come.
  private func awaitEvent() -> Bool {
    var entries = [finished.descriptor, isOpen ? pipe : -1].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let untilPush = pushAt.map { ContinuousClock.now.duration(to: $0) } ?? .seconds(3600)
    return poll(&entries, 2, untilPush.pollTimeout) > 0 && entries[0].revents != 0
  }

  /// Reads once. Returns the number of bytes.
  private mutating func take(atMost limit: Int) -> Int {
    guard isOpen else { return 0 }
    let count = read(pipe, buffer.baseAddress, limit)
    guard count > 0 else {
      isOpen = count < 0 && errno == EAGAIN
      return 0
    }
    log.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    // Push within a second of the first byte that is not written back, and at least a second after the last push.
    if pushAt == nil { pushAt = max(.now + .milliseconds(900), notBefore) }
    return count
  }

  private mutating func pushIfDue() {
    guard let due = pushAt, due <= .now else { return }
    pushAt = nil
    notBefore = due + .seconds(1)
    log.push()
  }

  /// Reads at most the pipe's capacity: all that was written before, and no endless later output.
  private mutating func drain() {
    var rest = max(Self.smallPiece, Int(linux_pipe_size(pipe)))
    while rest > 0 {
      let count = take(atMost: min(rest, buffer.count))
      if count == 0 { return }
      rest -= count
    }
  }
}

/// The pipe that a step writes to, and the pump that copies it into the log.
struct StepPipe: Sendable {
  private static let size: Int32 = 1 << 20

  /// The step's end. The caller closes it after the spawn.
  let writeEnd: FileDescriptor
  let inode: UInt64
  let pump: LogPump

  init(into log: StepLog) throws(Errno) {
    var ends: [Int32] = [-1, -1]
    guard linux_pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
    // An unprivileged user with many pipes gets smaller ones: slower, but not an error.
    _ = linux_set_pipe_size(ends[1], Self.size)
    var status = stat()
    fstat(ends[1], &status)
    inode = UInt64(status.st_ino)
    writeEnd = FileDescriptor(rawValue: ends[1])
    do throws(Errno) {
      pump = try LogPump(from: FileDescriptor(rawValue: ends[0]), into: log)
    } catch {
      for end in ends { close(end) }
      throw error
    }
  }
}
