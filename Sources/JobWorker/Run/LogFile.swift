import CLinux
import Glibc
import SystemPackage

/// The bytes of a log within their limit. Not thread-safe: `StepLog` guards it.
///
/// The file grows as it comes until the limit. From there its second half is a ring: the newest bytes overwrite the
/// oldest of that half, in place, so that neither memory nor a second file is needed however much comes. `finish` turns
/// the ring so that it reads in order. The ring is longer than half the limit by the line that says what is missing: that
/// line then takes the place of the oldest bytes.
struct LogFile {
  /// Length of that line: room for the largest numbers.
  static let noteLength: Int64 = 128

  let descriptor: Int32
  private let limit: Int64
  private let head: Int64
  private let ring: Int64
  /// Bytes taken into the file, dropped ones of the middle included.
  private var accepted: Int64 = 0
  /// Bytes that could not be written.
  private(set) var lost: Int64 = 0
  /// Those of them that no line in the log tells of yet.
  private var untold: Int64 = 0
  private(set) var firstError: Errno?
  /// How long the file was when it was seen to be shorter than what had been written to it: somebody has cut it. What
  /// comes later stays at its place; the gap reads as NUL.
  private(set) var cutTo: Int64?
  private var lengthAtEnd: Int64?

  init(_ descriptor: Int32, limit: Int64) {
    self.descriptor = descriptor
    // Half of what an Int64 holds: so that sums of offsets cannot overflow for "no limit".
    self.limit = min(max(limit, 0), Int64.max / 2)
    head = self.limit / 2
    ring = self.limit - head + Self.noteLength
  }

  /// Bytes in the file.
  var length: Int64 { lengthAtEnd ?? min(accepted, head + ring) }
  var dropped: Int64 { max(0, accepted - limit) + lost }
  /// Whether the newest bytes are overwriting older ones: what lies in the file is then of no use to a reader.
  var isTurning: Bool { accepted > head + ring }

  /// Takes what a step wrote. Never fails: what cannot be written is counted, and told of in the log when it can be.
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    noticeCut()
    if untold > 0 {
      let reason = firstError.map(String.init(describing:)) ?? ""
      var note = "\n[\(untold) bytes of output are missing here: they could not be written (\(reason))]\n"
      let written = note.withUTF8 { write(UnsafeRawBufferPointer($0)) }
      guard written == note.utf8.count else { return lose(bytes.count) }
      untold = 0
    }
    let written = write(bytes)
    if written < bytes.count { lose(bytes.count - written) }
  }

  private mutating func lose(_ count: Int) {
    lost += Int64(count)
    untold += Int64(count)
  }

  /// Returns how many bytes, from the first on, were written.
  private mutating func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    var rest = bytes[...]
    while !rest.isEmpty {
      let end = head + ring
      let offset = accepted < end ? accepted : head + (accepted - head) % ring
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Int(min(Int64(rest.count), end - offset))))
      let count = pwrite(descriptor, piece.baseAddress, piece.count, off_t(offset))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        note(Errno(rawValue: count < 0 ? errno : EIO))
        break
      }
      accepted += Int64(count)
      rest = rest.dropFirst(count)
    }
    return bytes.count - rest.count
  }

  /// Returns how long the file is.
  @discardableResult
  private mutating func noticeCut() -> Int64? {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    if status.st_size < length, cutTo == nil { cutTo = Int64(status.st_size) }
    return Int64(status.st_size)
  }

  private mutating func note(_ error: Errno) {
    if firstError == nil { firstError = error }
  }

  /// Starts to write back what is dirty. A volume that refuses says so here, or never.
  mutating func push() {
    // ESPIPE, EINVAL, ENOSYS: not a thing that this file system does. It writes back in its own time.
    guard linux_start_writeback(descriptor) < 0, [ENOSPC, EIO, EDQUOT].contains(errno) else { return }
    note(Errno(rawValue: errno))
  }

  /// Puts the bytes in order, and starts to write them back. Nothing may be appended after it.
  mutating func finish() {
    guard lengthAtEnd == nil else { return }
    if untold > 0 { append(UnsafeRawBufferPointer(start: nil, count: 0)) }
    noticeCut()
    if accepted > limit { turn() }
    let whole = accepted > limit ? head + ring : accepted
    // What somebody else has added at the end is no output of the step.
    if let actual = noticeCut(), actual > whole { ftruncate(descriptor, off_t(whole)) }
    lengthAtEnd = min(whole, noticeCut() ?? whole)
    push()
  }

  private mutating func turn() {
    let text = "\n[\(accepted - limit) bytes of output were dropped here: the log's limit is \(limit) bytes]"
    let line = text + String(repeating: " ", count: max(0, Int(Self.noteLength) - 1 - text.utf8.count)) + "\n"
    do throws(Errno) {
      // Where the ring is not yet full its end does not exist: it is then the part that the line overwrites.
      if accepted < head + ring, ftruncate(descriptor, off_t(head + ring)) != 0 { throw Errno(rawValue: errno) }
      let oldest = (accepted - head) % ring
      let region = FileRegion(descriptor: descriptor, start: head, count: ring)
      try region.rotate(by: oldest)
      try region.overwrite(with: Array(line.utf8))
    } catch {
      note(error)
    }
  }
}
