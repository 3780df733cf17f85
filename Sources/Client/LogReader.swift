import Glibc
import Jobs
import SystemPackage
import Volume

/// Reads one step's growing log: from its beginning, each byte of output once.
///
/// It opens the log for each read: a network file system asks its server only at an open (nfs(5)), and a removed log is
/// restored as another file. At its step's end a log over its limit is put in order; then the reader continues after
/// the bytes that it has read, or with the line about dropped output.
struct LogReader: Sendable {
  /// The largest read.
  static let largestPiece = 256 << 10

  let step: Int
  /// The number of bytes before those that are read next.
  private(set) var position: Int64 = 0
  /// Whether the log has its final form, so that its bytes can be read in order.
  private var isInOrder = false

  init(_ step: Int) {
    self.step = step
  }

  /// Begins with the last `tail` bytes that the log has now.
  init(_ step: Int, tail: Int64, in results: FileDescriptor) {
    self.init(step)
    let file = openat(results.rawValue, JobsDirectory.logName(step), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { return }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
    resumeIfInOrder(file)
    position = max(0, Int64(status.st_size) - tail)
  }

  /// The new output; empty if there is none, or no log yet.
  mutating func read(in results: FileDescriptor) throws(VolumeError) -> [UInt8] {
    let name = JobsDirectory.logName(step)
    // A step may have replaced it: follow no link, and do not block on a FIFO.
    let file = openat(results.rawValue, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else {
      if [ENOENT, ELOOP, ENXIO].contains(errno) { return [] }
      throw VolumeError("opening", FilePath(name))
    }
    defer { close(file) }
    resumeIfInOrder(file)
    let bytes = try bytes(of: file, name)
    if !isInOrder, resumeIfInOrder(file) {
      // The log was put in order during the read.
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
    // A log may be cut at any moment: below the position, or before the read, which is then short.
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

/// The device and inode of a folder. While a folder is open its inode number is not reused.
struct FolderIdentity: Equatable, Sendable {
  let device: UInt64
  let number: UInt64

  init(_ status: stat) {
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
  }
}
