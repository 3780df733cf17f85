import CLinux
import Glibc
import Synchronization

/// Copies the content of an open file into another, empty one, and keeps holes.
struct ContentCopy {
  /// From this size on, a file or a piece of one justifies a separate fadvise call and progress report.
  static let largeFile: Int64 = 1 << 20

  /// The most bytes that one call copies: progress is reported between calls.
  private static let mostAtOnce: Int64 = 16 << 20

  let source: Int32
  let destination: Int32
  let methods: CopyMethods
  let buffer: UnsafeMutableRawBufferPointer
  let moved: ((Int64) throws(SystemCallError) -> Void)?

  /// Copies the content that the source had when `status` was taken; data appended meanwhile may be missed.
  func run(_ status: stat) throws(SystemCallError) {
    let size = Int64(status.st_size)
    if size > 0, try methods.clone(from: source, to: destination) {
      try moved?(size)
      return
    }
    // With this advice the kernel reads twice as far ahead (posix_fadvise(2)); for a file of a page or two the call
    // costs more than it saves.
    if size >= Self.largeFile { posix_fadvise(source, 0, 0, POSIX_FADV_SEQUENTIAL) }
    let map = HoleMap(source, status)
    guard map.mayHaveHoles else {
      return try copy(0..<size)
    }
    var offset: Int64 = 0
    while offset < size, let data = try map.nextRange(from: offset) {
      try copy(data)
      offset = data.upperBound
    }
    // The hole at the end.
    _ = try retrying(.setSize) { ftruncate(destination, off_t(size)) }
  }

  private func copy(_ range: Range<Int64>) throws(SystemCallError) {
    var offset = range.lowerBound
    while offset < range.upperBound {
      let length = min(Self.mostAtOnce, range.upperBound - offset)
      var count = try methods.copyRange(from: source, to: destination, at: offset, length: length)
      if count == nil { count = try copyByReading(at: offset, length: length) }
      guard let count, count > 0 else { return }
      offset += count
      try moved?(count)
    }
  }

  private func copyByReading(at offset: Int64, length: Int64) throws(SystemCallError) -> Int64 {
    let most = min(buffer.count, Int(length))
    let count = try retrying(.read) { pread(source, buffer.baseAddress!, most, off_t(offset)) }
    try writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: destination, at: offset)
    return Int64(count)
  }
}

/// The system calls that copy content between two open files, and which of them the two file systems do not support.
///
/// Fastest first: a clone shares blocks (ioctl_ficlone(2)), copy_file_range(2) stays in the kernel or on the file
/// server, read and write work everywhere.
final class CopyMethods: Sendable {
  private let clones: Atomic<Bool>
  private let copiesRanges: Atomic<Bool>

  /// Starts with all methods, or with fewer.
  init(clones: Bool = true, copiesRanges: Bool = true) {
    self.clones = Atomic(clones)
    self.copiesRanges = Atomic(copiesRanges)
  }

  /// Makes the empty destination a clone of the source. Returns whether the file systems could do so.
  func clone(from source: Int32, to destination: Int32) throws(SystemCallError) -> Bool {
    guard clones.load(ordering: .relaxed) else { return false }
    do throws(SystemCallError) {
      _ = try retrying(.clone) { ioctl(destination, linuxCloneFile, source) }
      return true
    } catch {
      guard Self.meansUnsupported(error.code) else { throw error }
      if !Self.isAboutThisFile(error.code) { clones.store(false, ordering: .relaxed) }
      return false
    }
  }

  /// Copies up to `length` bytes at the same offset of both files. Returns the number of bytes copied, or `nil` when
  /// the caller has to read and write instead.
  func copyRange(
    from source: Int32, to destination: Int32, at offset: Int64, length: Int64
  ) throws(SystemCallError) -> Int64? {
    guard copiesRanges.load(ordering: .relaxed) else { return nil }
    do throws(SystemCallError) {
      let count = try retrying(.copyRange) {
        linux_copy_range(source, offset, destination, offset, Int(length))
      }
      // 0 means the end of the file, or a file system that does not report that it cannot copy (procfs): a read will
      // tell.
      return count == 0 ? nil : Int64(count)
    } catch {
      guard Self.meansUnsupported(error.code) else { throw error }
      if !Self.isAboutThisFile(error.code) { copiesRanges.store(false, ordering: .relaxed) }
      return nil
    }
  }

  /// Network and FUSE file systems answer many things where they cannot do it. If the file itself cannot be read or
  /// written, the next way of copying finds that out.
  private static func meansUnsupported(_ code: Int32) -> Bool {
    switch code {
    case EINVAL, EXDEV, ENOSYS, ENOTSUP, EOPNOTSUPP, linuxNotSupported, ENOTTY, EPERM, EACCES, EBADF, EIO, ETXTBSY: true
    default: false
    }
  }

  /// A swap file, for example, or a block that cannot be read; the other errors concern the file systems.
  private static func isAboutThisFile(_ code: Int32) -> Bool { code == EINVAL || code == EIO }

  /// ENOTSUPP, which is the kernel's own: NFS servers make it reach programs.
  private static let linuxNotSupported: Int32 = 524
}

/// The ranges of data and holes in an open file. Holes read as zeros and take no time to skip (lseek(2)).
struct HoleMap {
  private let file: Int32
  private let size: Int64
  /// The number of bytes without an allocated block. Compressed files have fewer blocks than bytes, too.
  private let unallocated: Int64

  init(_ file: Int32, _ status: stat) {
    self.file = file
    size = max(0, Int64(status.st_size))
    // A FUSE file system may report more blocks than possible.
    let blocks = min(max(0, Int64(status.st_blocks)), Int64.max / 512)
    unallocated = max(0, size - blocks * 512)
  }

  var mayHaveHoles: Bool { unallocated > 0 }

  /// Whether holes make up more than this many bytes.
  func hasHoles(over bytes: Int64) throws(SystemCallError) -> Bool {
    guard unallocated > bytes else { return false }
    var found: Int64 = 0
    var offset: Int64 = 0
    while offset < size {
      let data = try nextRange(from: offset)
      found &+= (data?.lowerBound ?? size) &- offset
      if found > bytes { return true }
      offset = data?.upperBound ?? size
    }
    return false
  }

  /// The first offset at or after this one that has data, or the end of the file. The offset itself where the file
  /// system reports no holes.
  func nextData(from offset: Int64) throws(SystemCallError) -> Int64 {
    guard mayHaveHoles, offset < size else { return offset }
    do throws(SystemCallError) {
      // A FUSE file system may answer anything (fuse(4)): never go backwards.
      return max(offset, Int64(try retrying(.seekData) { lseek(file, off_t(offset), linuxSeekData) }))
    } catch {
      switch error.code {
      case ENXIO: return max(offset, size)
      case EINVAL, ENOTSUP, EOPNOTSUPP: return offset
      default: throw error
      }
    }
  }

  /// The next range of data; `nil` when only a hole is left. The whole rest where the file system reports no holes.
  func nextRange(from offset: Int64) throws(SystemCallError) -> Range<Int64>? {
    let begin = try nextData(from: offset)
    guard begin < size else { return nil }
    do throws(SystemCallError) {
      let end = Int64(try retrying(.seekHole) { lseek(file, off_t(begin), linuxSeekHole) })
      // An answer without progress means that the file system reports no holes.
      return begin..<(end > begin ? min(end, size) : size)
    } catch {
      switch error.code {
      // The file was truncated meanwhile.
      case ENXIO: return nil
      case EINVAL, ENOTSUP, EOPNOTSUPP: return begin..<size
      default: throw error
      }
    }
  }
}
