import CLinux
import Glibc

/// Where an open file has data, and where it has holes, which read as zeros and take no time to pass over (lseek(2)).
struct HoleMap {
  private let file: Int32
  private let size: Int64
  /// How many bytes have no block of their own. What is compressed has fewer blocks than bytes, too.
  private let unallocated: Int64

  init(_ file: Int32, _ status: stat) {
    self.file = file
    size = max(0, Int64(status.st_size))
    // A file system in user space may say that there are more blocks than there can be.
    let blocks = min(max(0, Int64(status.st_blocks)), Int64.max / 512)
    unallocated = max(0, size - blocks * 512)
  }

  var mayHaveHoles: Bool { unallocated > 0 }

  /// Whether more than so many bytes are holes.
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

  /// The first offset from this one on where there is data; the end of the file where there is none. The offset itself where
  /// the file system does not tell holes.
  func nextData(from offset: Int64) throws(SystemCallError) -> Int64 {
    guard mayHaveHoles, offset < size else { return offset }
    do throws(SystemCallError) {
      // A file system in user space may answer anything (fuse(4)): nothing leads backwards.
      return max(offset, Int64(try retrying(.seekData) { lseek(file, off_t(offset), linuxSeekData) }))
    } catch {
      switch error.code {
      case ENXIO: return max(offset, size)
      case EINVAL, ENOTSUP, EOPNOTSUPP: return offset
      default: throw error
      }
    }
  }

  /// The next range that is not a hole; `nil` when only a hole is left. The whole rest where the file system does not tell holes.
  func nextRange(from offset: Int64) throws(SystemCallError) -> Range<Int64>? {
    let begin = try nextData(from: offset)
    guard begin < size else { return nil }
    do throws(SystemCallError) {
      let end = Int64(try retrying(.seekHole) { lseek(file, off_t(begin), linuxSeekHole) })
      // What makes no way forward tells no holes.
      return begin..<(end > begin ? min(end, size) : size)
    } catch {
      switch error.code {
      // It was cut meanwhile.
      case ENXIO: return nil
      case EINVAL, ENOTSUP, EOPNOTSUPP: return begin..<size
      default: throw error
      }
    }
  }
}
