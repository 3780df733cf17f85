import CLinux
import Glibc
import Synchronization

/// The ways to copy content between two open files, and which of them the two file systems have turned out not to have.
///
/// Fastest first: a clone shares blocks (ioctl_ficlone(2)), copy_file_range(2) stays in the kernel or on the file
/// server, read and write work everywhere.
final class CopyMethods: Sendable {
  private let clones: Atomic<Bool>
  private let copiesRanges: Atomic<Bool>

  /// All ways, or fewer to begin with.
  init(clones: Bool = true, copiesRanges: Bool = true) {
    self.clones = Atomic(clones)
    self.copiesRanges = Atomic(copiesRanges)
  }

  /// Makes the empty destination a clone of the source. Returns whether that was possible.
  func clone(from source: Int32, to destination: Int32) throws(CallFailure) -> Bool {
    guard clones.load(ordering: .relaxed) else { return false }
    do throws(CallFailure) {
      _ = try retrying(.clone) { ioctl(destination, linuxCloneFile, source) }
      return true
    } catch {
      guard Self.meansUnsupported(error.code) else { throw error }
      // EINVAL is about this file (a swap file, say), the others are about the file systems.
      if error.code != EINVAL { clones.store(false, ordering: .relaxed) }
      return false
    }
  }

  /// Copies up to `length` bytes at the same offset of both files. Returns how many; `nil` when it has to be done by
  /// reading and writing.
  func copyRange(
    from source: Int32, to destination: Int32, at offset: Int64, length: Int64
  ) throws(CallFailure) -> Int64? {
    guard copiesRanges.load(ordering: .relaxed) else { return nil }
    do throws(CallFailure) {
      let count = try retrying(.copyRange) {
        linux_copy_range(source, offset, destination, offset, Int(length))
      }
      // 0 is the end of the file, or a file system that cannot say no (procfs): a read will tell.
      return count == 0 ? nil : Int64(count)
    } catch {
      guard Self.meansUnsupported(error.code) else { throw error }
      if error.code != EINVAL { copiesRanges.store(false, ordering: .relaxed) }
      return nil
    }
  }

  private static func meansUnsupported(_ code: Int32) -> Bool {
    switch code {
    case EINVAL, EXDEV, ENOSYS, ENOTSUP, EOPNOTSUPP, ENOTTY, EPERM, ETXTBSY: true
    default: false
    }
  }
}
