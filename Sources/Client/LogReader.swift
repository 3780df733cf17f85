private import Glibc
import Jobs
import SystemPackage
import Volume

/// Reads one step's log while it grows, from its beginning, each byte of output once.
///
/// It is opened anew for each reading: a network file system looks at what its server has only then (nfs(5)), and a log
/// that a job removed comes back as another file. A log that went over its limit is put in order at its step's end; from
/// there the reader goes on behind what it has, or with the line that tells what was dropped.
struct LogReader: Sendable {
  /// The most that is read at once.
  package static let largestPiece = 256 << 10

  package let step: Int
  private var position: Int64 = 0
  /// The log is in its last form: its bytes are read as they stand.
  private var isInOrder = false

  init(_ step: Int) {
    self.step = step
  }

  /// What is new; empty when nothing is, or while there is no such log.
  package mutating func read(in results: FileDescriptor) throws(VolumeError) -> [UInt8] {
    let name = JobsDirectory.logName(step)
    // A step may put what it likes in its place: no link is followed, no FIFO waited for.
    let file = openat(results.rawValue, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else {
      if [ENOENT, ELOOP, ENXIO].contains(errno) { return [] }
      throw VolumeError("opening", FilePath(name), Errno(rawValue: errno))
    }
    defer { close(file) }
    resumeIfInOrder(file)
    let bytes = try bytes(of: file, name)
    if !isInOrder, resumeIfInOrder(file) {
      // It was put in order while it was read.
      return take(try self.bytes(of: file, name))
    }
    return take(bytes)
  }

  private mutating func take(_ bytes: [UInt8]) -> [UInt8] {
    position += Int64(bytes.count)
    return bytes
  }

  private func bytes(of file: Int32, _ name: String) throws(VolumeError) -> [UInt8] {
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return [] }
    // A log may be cut at any moment: below what has been read, or between this and the reading, which is then short.
    guard Int64(status.st_size) > position else { return [] }
    let size = Int(min(Int64(LogReader.largestPiece), Int64(status.st_size) - position))
    var failure: Errno?
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
      let count = pread(file, buffer.baseAddress, size, off_t(position))
      if count < 0 { failure = Errno(rawValue: errno) }
      filled = max(0, count)
    }
    if let failure, failure != .interrupted { throw VolumeError("reading", FilePath(name), failure) }
    return bytes
  }

  @discardableResult
  private mutating func resumeIfInOrder(_ file: Int32) -> Bool {
    var status = stat()
    guard !isInOrder, fstat(file, &status) == 0 else { return false }
    let size = Int64(status.st_size)
    let length = Int(DroppedOutput.length)
    guard size > DroppedOutput.length else { return false }
    let offset = DroppedOutput.offset(limit: size - DroppedOutput.length)
    let line = [UInt8](unsafeUninitializedCapacity: length) { buffer, filled in
      filled = max(0, pread(file, buffer.baseAddress, length, off_t(offset)))
    }
    guard let dropped = DroppedOutput(line, inLogOf: size) else { return false }
    isInOrder = true
    position = dropped.resume(after: position)
    return true
  }
}
