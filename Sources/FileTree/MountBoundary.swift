import CLinux
import Glibc

/// The rule about mounts: a walk stays on the mount on which it begins.
///
/// A mount point is not entered, read or removed: mounted content does not belong to the tree, and removals that
/// crossed mounts have emptied disks. `st_dev` cannot tell a bind mount from its surroundings. The kernel can: by
/// openat2(2) with RESOLVE_NO_XDEV in the call that opens, or by statx(2) after it.
enum MountBoundary {
  /// The system calls that detect a mount.
  enum Method {
    /// openat2(2), since Linux 5.6.
    case resolve
    /// Open, then check: statx(2) reports mount roots since Linux 5.8; before that only `st_dev` is compared.
    case compare
  }

  /// The method that this kernel and a seccomp filter permit. Old filters answer EPERM to unknown calls.
  static let method: Method = {
    let probe = openat2(AT_FDCWD, ".", linuxPathOnly | O_CLOEXEC, .oneMount)
    if probe >= 0 { close(probe) }
    return probe < 0 && [ENOSYS, EPERM].contains(errno) ? .compare : .resolve
  }()

  /// Opens an entry of a folder; throws EXDEV if it is a mount point.
  @inline(__always)
  static func open(
    _ call: SystemCall, _ name: FileName, in folder: Int32, _ flags: Int32, by method: Method = method
  ) throws(SystemCallError) -> Int32 {
    switch method {
    case .resolve:
      return try retrying(call) { openat2(folder, name, flags, .oneMount) }
    case .compare:
      return try openAndCompare(call, name, in: folder, flags)
    }
  }

  private static func openAndCompare(
    _ call: SystemCall, _ name: FileName, in folder: Int32, _ flags: Int32
  ) throws(SystemCallError) -> Int32 {
    let file = try retrying(call) { openat(folder, name, flags) }
    // The start of a walk may be the root of its mount.
    if strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { return file }
    do throws(SystemCallError) {
      let isMounted =
        if let isRoot = mountRoot("", in: file) { isRoot } else {
          try status(of: file).st_dev != status(of: folder).st_dev
        }
      if isMounted { throw SystemCallError(call: call, code: EXDEV) }
      return file
    } catch {
      close(file)
      throw error
    }
  }

  /// Whether an entry of a folder is a mount point.
  static func lies(on name: FileName, in folder: Int32) throws(SystemCallError) -> Bool {
    if let isRoot = mountRoot(name, in: folder) { return isRoot }
    return try status(of: name, in: folder).st_dev != status(of: folder).st_dev
  }

  /// Whether the entry is the root of a mount; `nil` when the kernel does not report it. An empty name means the open
  /// file itself.
  private static func mountRoot(_ name: FileName, in folder: Int32) -> Bool? {
    var result = statx()
    let flags = AT_SYMLINK_NOFOLLOW | linuxNoAutomount | (name[0] == 0 ? linuxEmptyPath : 0)
    guard linux_statx(folder, name, flags, 0, &result) == 0 else { return nil }
    let root = UInt64(STATX_ATTR_MOUNT_ROOT)
    return result.stx_attributes_mask & root == 0 ? nil : result.stx_attributes & root != 0
  }
}
