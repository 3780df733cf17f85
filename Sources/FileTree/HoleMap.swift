import CLinux
import Glibc

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
