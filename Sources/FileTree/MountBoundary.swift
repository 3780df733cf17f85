import CLinux
import Glibc

/// The one rule about mounts: a walk stays on the mount on which it begins, wherever that is.
///
/// A folder or file that something is mounted on is not entered, read or removed: what is mounted is not the tree's, and
/// one removal of a tree has emptied more than one disk. `st_dev` does not tell a bind mount from its surroundings; the
/// kernel does: by openat2(2) with RESOLVE_NO_XDEV, at the very call that opens, or by statx(2) after it.
enum MountBoundary {
  /// How the kernel can be asked.
  enum Method {
    /// openat2(2), since Linux 5.6.
    case resolve
    /// Open, then look: statx(2) knows the root of a mount since Linux 5.8, and before that `st_dev` says what it can.
    case compare
  }

  /// What this kernel, and a seccomp filter around the process, let it do. Old filters answer EPERM to a call that they do not know.
  static let method: Method = {
    let probe = openat2(AT_FDCWD, ".", linuxPathOnly | O_CLOEXEC, .oneMount)
    if probe >= 0 { close(probe) }
    return probe < 0 && [ENOSYS, EPERM].contains(errno) ? .compare : .resolve
  }()

  /// Opens an entry of a folder; EXDEV if something is mounted on it.
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
    // Where a walk begins, or has been, may be the root of its mount.
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

  /// Whether something is mounted on an entry of a folder.
  static func lies(on name: FileName, in folder: Int32) throws(SystemCallError) -> Bool {
    if let isRoot = mountRoot(name, in: folder) { return isRoot }
    return try status(of: name, in: folder).st_dev != status(of: folder).st_dev
  }

  /// Whether it is the root of a mount; `nil` when the kernel does not say. An empty name is the open file itself.
  private static func mountRoot(_ name: FileName, in folder: Int32) -> Bool? {
    var result = statx()
    let flags = AT_SYMLINK_NOFOLLOW | linuxNoAutomount | (name[0] == 0 ? linuxEmptyPath : 0)
    guard linux_statx(folder, name, flags, 0, &result) == 0 else { return nil }
    let root = UInt64(STATX_ATTR_MOUNT_ROOT)
    return result.stx_attributes_mask & root == 0 ? nil : result.stx_attributes & root != 0
  }
}
