import CLinux
import Glibc
import Jobs
import SystemPackage

/// The bytes of a log within their limit. Not thread-safe: `StepLog` guards it.
///
/// The file grows as it comes until the limit, and on by the length of the line that says what is missing. Then it stands
/// still, and the newest bytes go to a temporary file, so that memory stays small however much comes. `finish` writes them
/// over the second half, behind that line.
struct LogFile {
  private static let blockSize = 256 << 10

  let descriptor: Int32
  private let limit: Int64
  /// Where the line that says what is missing begins.
  private let head: Int64
  /// How long the file may be.
  private let end: Int64
  private let temporary: FilePath
  /// There is none while the file holds all.
  private var newest: NewestOutput?
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

  /// `temporary` is a folder for the newest half of more than `limit`.
  init(_ descriptor: Int32, limit: Int64, temporary: FilePath) {
    self.descriptor = descriptor
    self.temporary = temporary
    // Half of what an Int64 holds: so that sums of offsets cannot overflow for "no limit".
    self.limit = min(max(limit, 0), Int64.max / 2)
    head = DroppedOutput.offset(limit: self.limit)
    end = self.limit + DroppedOutput.length
  }

  /// Bytes in the file.
  var length: Int64 { lengthAtEnd ?? min(accepted, end) }
  var dropped: Int64 { max(0, accepted - limit) + lost }

  /// How many bytes were taken, those that the file does not hold any more counted in.
  package var taken: Int64 { accepted }

  /// At most `count` of the bytes that were taken, from `offset` on, or from the first after it that is still held.
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

  /// Takes what a step wrote. Never fails: what cannot be written is counted, and told of in the log when it can be.
  package mutating func append(_ bytes: UnsafeRawBufferPointer) {
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

  /// Writes some of the bytes, from the first on. Returns how many.
  private mutating func put(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
    if accepted == end, newest == nil { newest = try copyOfSecondHalf() }
    if let newest { return try newest.put(bytes, at: accepted) }
    return try file.put(bytes, at: accepted, before: end)
  }

  /// What is written over when the bytes are put in order.
  private func copyOfSecondHalf() throws(Errno) -> NewestOutput {
    let copy = try NewestOutput(from: head, capacity: end - head, in: temporary)
    var offset = head
    while offset < accepted {
      let block = file.piece(at: offset, min(Int64(Self.blockSize), accepted - offset))
      // Somebody has cut the file.
      if block.isEmpty { break }
      try copy.begin(with: block, at: offset)
      offset += Int64(block.count)
    }
    return copy
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
  package mutating func finish() {
    guard lengthAtEnd == nil else { return }
    if untold > 0 { append(UnsafeRawBufferPointer(start: nil, count: 0)) }
    noticeCut()
    if accepted > limit { putInOrder() }
    let whole = accepted > limit ? end : accepted
    // What somebody else has added at the end is no output of the step.
    if let actual = noticeCut(), actual > whole { ftruncate(descriptor, off_t(whole)) }
    lengthAtEnd = min(whole, noticeCut() ?? whole)
    newest = nil
    push()
  }

  private mutating func putInOrder() {
    do throws(Errno) {
      // Up to the length of the line over the limit, the file holds all.
      if newest == nil { newest = try copyOfSecondHalf() }
      var offset = accepted - (limit - head)
      while let newest, offset < accepted {
        let block = newest.read(from: offset, to: accepted, atMost: Self.blockSize).bytes
        if block.isEmpty { break }
        try file.store(block, at: end - (accepted - offset))
        offset += Int64(block.count)
      }
      // Last: a reader that finds it takes what is behind it for the end of the output.
      try file.store(DroppedOutput(count: accepted - limit, limit: limit).line, at: head)
    } catch {
      note(error)
    }
  }
}

/// The newest output of a step whose log is over its limit, in a temporary file without a name: the newest bytes are written
/// over the oldest.
final class NewestOutput: Sendable {
  private let file: FileDescriptor
  private let origin: Int64
  private let capacity: Int64

  /// For output from the byte `origin` on. Throws what open(2) answers.
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

  /// Writes what comes first: all of the bytes, as the byte `offset` of the output and what follows it.
  func begin(with bytes: [UInt8], at offset: Int64) throws(Errno) { try file.store(bytes, at: place(of: offset)) }

  /// Writes some of the bytes, from the first on, which is the byte `offset` of the output. Returns how many.
  func put(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) -> Int {
    try file.put(bytes, at: place(of: offset), before: capacity)
  }

  /// At most `count` bytes of the output up to `end`, from `offset` on, or from the first after it that is still held.
  func read(from offset: Int64, to end: Int64, atMost count: Int) -> (offset: Int64, bytes: [UInt8]) {
    let start = max(offset, origin, end - capacity)
    let place = place(of: start)
    return (start, file.piece(at: place, min(Int64(count), end - start, capacity - place)))
  }

  private func place(of offset: Int64) -> Int64 { (offset - origin) % capacity }
}

extension FileDescriptor {
  /// pwrite(2): some of the bytes, from the first on, and none beyond `end`. Returns how many.
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

  /// pread(2): fewer bytes, or none, where there are no more or they cannot be read.
  func piece(at place: Int64, _ count: Int64) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(max(0, count))) { buffer, filled in
      filled = (try? read(fromAbsoluteOffset: place, into: UnsafeMutableRawBufferPointer(buffer))) ?? 0
    }
  }
}
