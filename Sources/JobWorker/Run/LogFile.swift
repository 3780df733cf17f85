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
    head = DroppedOutput.offset(limit: self.limit)
    ring = self.limit - head + DroppedOutput.length
  }

  /// Bytes in the file.
  var length: Int64 { lengthAtEnd ?? min(accepted, head + ring) }
  var dropped: Int64 { max(0, accepted - limit) + lost }
  /// Whether the newest bytes are overwriting older ones: what lies in the file is then of no use to a reader.
  var isTurning: Bool { accepted > head + ring }

  /// How many bytes were taken, those that the file does not hold any more counted in.
  var taken: Int64 { accepted }

  /// At most `count` of the bytes that were taken, from `offset` on, or from the first after it that the file still holds.
  func read(from offset: Int64, atMost count: Int) -> (offset: Int64, bytes: [UInt8]) {
    let (start, place, available) = location(of: offset)
    let size = Int(min(Int64(count), max(0, available)))
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
      filled = max(0, pread(descriptor, buffer.baseAddress, size, off_t(place)))
    }
    return (start, bytes)
  }

  /// Where in the file the bytes from `offset` on lie, and how many of them in one piece.
  private func location(of offset: Int64) -> (start: Int64, place: Int64, available: Int64) {
    if offset < head { return (offset, offset, min(head, accepted) - offset) }
    if lengthAtEnd != nil, accepted > limit {
      let start = max(offset, accepted - (limit - head))
      return (start, DroppedOutput(count: accepted - limit, limit: limit).resume(after: start), accepted - start)
    }
    let start = max(offset, head, accepted - ring)
    let place = head + (start - head) % ring
    return (start, place, min(accepted - start, head + ring - place))
  }

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
    do throws(Errno) {
      // Where the ring is not yet full its end does not exist: it is then the part that the line overwrites.
      if accepted < head + ring, ftruncate(descriptor, off_t(head + ring)) != 0 { throw Errno(rawValue: errno) }
      let oldest = (accepted - head) % ring
      let region = FileRegion(descriptor: descriptor, start: head, count: ring)
      try region.rotate(by: oldest)
      try region.overwrite(with: DroppedOutput(count: accepted - limit, limit: limit).line)
    } catch {
      note(error)
    }
  }
}
