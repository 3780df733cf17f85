import Glibc
import Synchronization
public import SystemPackage

/// The modes and times that a copy or an export could not keep: some file systems store none, or let only others set them
/// (CIFS, FAT, root squash). Their files have the file system's own.
public struct UnkeptAttributes: Hashable, Sendable {
  /// How often a mode or the times of a file or folder could not be set.
  public let count: Int

  /// Why, the first time.
  public let cause: Errno
}

/// Sets modes and times as far as the file system lets this process, and counts where it does not.
final class Attributes: Sendable {
  private let losses = Mutex<UnkeptAttributes?>(nil)

  var unkept: UnkeptAttributes? { losses.withLock(\.self) }

  /// Sets the permission bits of an open file or folder.
  func setMode(_ mode: mode_t, of descriptor: Int32) {
    note { () throws(SystemCallError) in _ = try retrying(.setMode) { fchmod(descriptor, mode) } }
  }

  /// Sets the times of an open file or folder to those of another.
  func setTimes(of descriptor: Int32, from status: stat) {
    note { () throws(SystemCallError) in
      try withUnsafeTemporaryAllocation(of: timespec.self, capacity: 2) { (times) throws(SystemCallError) in
        times[0] = status.st_atim
        times[1] = status.st_mtim
        _ = try retrying(.setTimes) { futimens(descriptor, times.baseAddress!) }
      }
    }
  }

  /// A device that fails tells so in the calls that write content, too.
  @inline(__always)
  private func note(_ set: () throws(SystemCallError) -> Void) {
    do {
      try set()
    } catch {
      losses.withLock { losses in
        losses = UnkeptAttributes(
          count: (losses?.count ?? 0) + 1, cause: losses?.cause ?? Errno(rawValue: error.code))
      }
    }
  }
}
