import CLinux
import Glibc
import Jobs
import SystemPackage

/// A log's content within its limit. Not thread-safe: `StepLog` guards it.
///
/// The file grows with the output up to the limit, plus the length of the line that reports dropped bytes. From then on
/// the newest bytes go to a temporary file, so that memory stays small for any amount of output. `finish` writes them
/// over the second half, after that line.
struct LogFile {
  private static let blockSize = 256 << 10
  /// The errors of a volume that has lost data.
  private static let areOfVolume = [ENOSPC, EIO, EDQUOT]

  let descriptor: Int32
  private let limit: Int64
  /// The offset of the line that reports dropped bytes.
  private let head: Int64
  /// The maximum length of the file.
  private let end: Int64
  private let temporary: FilePath
  /// `nil` while the file holds all output.
  private var newest: NewestOutput?
  /// Bytes accepted, including those dropped from the middle.
  private var accepted: Int64 = 0
  /// Bytes that could not be written.
  private(set) var lost: Int64 = 0
  /// Lost bytes that no line in the log reports yet.
  private var untold: Int64 = 0
  private(set) var firstError: Errno?
  /// The file's length when it was found shorter than the bytes written: another process has truncated it. Later output
  /// keeps its offset; the gap reads as NUL.
  private(set) var cutTo: Int64?
  private var lengthAtEnd: Int64?

  /// `temporary` is the folder for the newest half of output over `limit`.
  init(_ descriptor: Int32, limit: Int64, temporary: FilePath) {
    self.descriptor = descriptor
    self.temporary = temporary
    // Half of Int64.max, so that sums of offsets cannot overflow without a limit.
    self.limit = min(max(limit, 0), Int64.max / 2)
    head = DroppedOutput.offset(limit: self.limit)
    end = self.limit + DroppedOutput.length
  }

  /// Bytes in the file.
  var length: Int64 { lengthAtEnd ?? min(accepted, end) }
  var dropped: Int64 { max(0, accepted - limit) + lost }

  /// The number of bytes accepted, including those no longer in the file.
  var taken: Int64 { accepted }

  /// Reads at most `count` of the accepted bytes, from `offset` on, or from the first later one that is still held.
  func read(from offset: Int64, atMost count: Int) -> (offset: Int64, bytes: [UInt8]) {
    if lengthAtEnd != nil, accepted > limit {
      guard offset >= head else { return (offset, file.piece(at: offset, min(Int64(count), head - offset))) }
      let start = max(offset, accepted - (limit - head))
      let place = DroppedOutput(count: accepted - limit, limit: limit).resume(after: start)
      return (start, file.piece(at: place, min(Int64(count), accepted - start)))
    }
    if offset >= end, let newest { return newest.read(from: offset, to: accepted, atMost: count) }
    return (offset, file.piece(at: offset, min(Int64(count), min(accepted, end) - offset)))
  }

  private var file: FileDescriptor { FileDescriptor(rawValue: descriptor) }

  /// Appends output of a step. Never fails: bytes that cannot be written are counted, and reported in the log as soon
  /// as possible.
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

  /// Writes a prefix of the bytes and returns its length.
  private mutating func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    var rest = bytes[...]
    do throws(Errno) {
      while !rest.isEmpty {
        let count = try put(UnsafeRawBufferPointer(rebasing: rest))
        accepted += Int64(count)
        rest = rest.dropFirst(count)
      }
    } catch {
      note(error)
    }
    return bytes.count - rest.count
  }

  /// Writes a prefix of the bytes and returns its length.
  private mutating func put(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
    if accepted == end, newest == nil { newest = try copyOfSecondHalf() }
    if let newest { return try newest.put(bytes, at: accepted) }
    return try file.put(bytes, at: accepted, before: end)
  }

  /// Copies the second half of the file, which `finish` overwrites.
  private func copyOfSecondHalf() throws(Errno) -> NewestOutput {
    let copy = try NewestOutput(from: head, capacity: end - head, in: temporary)
    var offset = head
    while offset < accepted {
      let block = file.piece(at: offset, min(Int64(Self.blockSize), accepted - offset))
      // The file was truncated.
      if block.isEmpty { break }
      try copy.begin(with: block, at: offset)
      offset += Int64(block.count)
    }
    return copy
  }

  /// Detects truncation, and returns the file's length.
  @discardableResult
  private mutating func noticeCut() -> Int64? {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    if status.st_size < length, cutTo == nil {
      // A network file system may accept what its server has no room for, and shorten the file again: fsync(2) tells.
      if fdatasync(descriptor) < 0, LogFile.areOfVolume.contains(errno) { note(Errno(rawValue: errno)) }
      cutTo = Int64(status.st_size)
    }
    return Int64(status.st_size)
  }

  private mutating func note(_ error: Errno) {
    if firstError == nil { firstError = error }
  }

  /// Starts writing back dirty pages. A volume that reports write errors reports them here, or never.
  mutating func push() {
    // ESPIPE, EINVAL, ENOSYS: this file system does not support it, and writes back in its own time.
    guard linux_start_writeback(descriptor) < 0, LogFile.areOfVolume.contains(errno) else { return }
    note(Errno(rawValue: errno))
  }

  /// Puts the bytes in order, and starts writing them back. Nothing may be appended afterwards.
  mutating func finish() {
    guard lengthAtEnd == nil else { return }
    if untold > 0 { append(UnsafeRawBufferPointer(start: nil, count: 0)) }
    noticeCut()
    if accepted > limit { putInOrder() }
    let whole = accepted > limit ? end : accepted
    // Bytes that another process has appended are not output of the step.
    if let actual = noticeCut(), actual > whole { ftruncate(descriptor, off_t(whole)) }
    lengthAtEnd = min(whole, noticeCut() ?? whole)
    newest = nil
    push()
  }

  /// Waits until the volume has what was written, or reports an error.
  mutating func sync() {
    if fdatasync(descriptor) < 0, LogFile.areOfVolume.contains(errno) { note(Errno(rawValue: errno)) }
    if let length = noticeCut() { lengthAtEnd = lengthAtEnd.map { min($0, length) } }
  }

  private mutating func putInOrder() {
    do throws(Errno) {
      // Output that exceeds the limit by at most the length of the line is still all in the file.
      if newest == nil { newest = try copyOfSecondHalf() }
      var offset = accepted - (limit - head)
      while let newest, offset < accepted {
        let block = newest.read(from: offset, to: accepted, atMost: Self.blockSize).bytes
        if block.isEmpty { break }
        try file.store(block, at: end - (accepted - offset))
        offset += Int64(block.count)
      }
      // Write the line last: a reader that finds it takes the bytes after it for the end of the output.
      try file.store(DroppedOutput(count: accepted - limit, limit: limit).line, at: head)
    } catch {
      note(error)
    }
  }
}

/// The newest output of a step whose log is over its limit, in an unnamed temporary file: a ring in which the newest
/// bytes replace the oldest.
final class NewestOutput: Sendable {
  private let file: FileDescriptor
  private let origin: Int64
  private let capacity: Int64

  /// Holds output from the byte `origin` on. Throws the error of open(2).
  init(from origin: Int64, capacity: Int64, in folder: FilePath) throws(Errno) {
    self.origin = origin
    self.capacity = capacity
    let path = folder.appending(".log-\(UInt64.random(in: 0 ... .max))")
    do {
      file = try .open(
        path, .readWrite, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec], permissions: .ownerReadWrite)
    } catch {
      throw Errno(error)
    }
    unlink(path.string)
  }

  deinit { try? file.close() }

  /// Writes the first content: all of the bytes, which begin at the byte `offset` of the output.
  func begin(with bytes: [UInt8], at offset: Int64) throws(Errno) { try file.store(bytes, at: place(of: offset)) }

  /// Writes a prefix of the bytes, which begin at the byte `offset` of the output, and returns its length.
  func put(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
    try file.put(bytes, at: place(of: offset), before: capacity)
  }

  /// Reads at most `count` bytes of the output up to `end`, from `offset` on, or from the first later one that is still
  /// held.
  func read(from offset: Int64, to end: Int64, atMost count: Int) -> (offset: Int64, bytes: [UInt8]) {
    let start = max(offset, origin, end - capacity)
    let place = place(of: start)
    return (start, file.piece(at: place, min(Int64(count), end - start, capacity - place)))
  }

  private func place(of offset: Int64) -> Int64 { (offset - origin) % capacity }
}

extension FileDescriptor {
  /// pwrite(2): writes a prefix of the bytes, none beyond `end`, and returns its length.
  func put(_ bytes: UnsafeRawBufferPointer, at place: Int64, before end: Int64) throws(Errno) -> Int {
    let count: Int
    do {
      count = try write(
        toAbsoluteOffset: place,
        UnsafeRawBufferPointer(rebasing: bytes.prefix(Int(min(Int64(bytes.count), end - place)))))
    } catch {
      throw Errno(error)
    }
    guard count > 0 else { throw .ioError }
    return count
  }

  /// pread(2): returns fewer bytes, or none, at the end of the file or after an error.
  func piece(at place: Int64, _ count: Int64) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(max(0, count))) { buffer, filled in
      filled = (try? read(fromAbsoluteOffset: place, into: UnsafeMutableRawBufferPointer(buffer))) ?? 0
    }
  }
}
