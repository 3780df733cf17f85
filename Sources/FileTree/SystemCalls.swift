import CLinux
import Glibc

/// The system calls of this library, with their names in error messages.
enum SystemCall: String {
  case open
  case openFolder = "open folder"
  case create
  case makeFolder = "make folder"
  case list
  case stat
  case read
  case write
  case readlink = "read symlink"
  case clone
  case copyRange = "copy range"
  case seekData = "seek data"
  case seekHole = "seek hole"
  case rewind
  case setSize = "set size"
  case setTimes = "set times"
  case setMode = "set mode"
  case sync
  case rename
  case unlink = "remove"
  case removeFolder = "remove folder"
}

/// A failed system call and its errno.
struct SystemCallError: Error {
  let call: SystemCall
  let code: Int32

  /// Whether the file is gone: removed, or replaced on the server (nfs(5)).
  var saysGone: Bool { code == ENOENT || code == ESTALE }

  /// Whether the file or folder to open is a mount point.
  var isMount: Bool { code == EXDEV && (call == .open || call == .openFolder) }

  /// Whether the caller canceled the work.
  var isCancellation: Bool { code == ECANCELED }
}

/// A NUL-terminated file name.
typealias FileName = UnsafePointer<CChar>

/// Copies a name, with its NUL.
func terminated(_ name: FileName) -> [CChar] {
  Array(UnsafeBufferPointer(start: name, count: strlen(name) + 1))
}

/// The bytes of a name, without its NUL.
func bytes(of name: FileName) -> [UInt8] {
  Array(UnsafeRawBufferPointer(start: name, count: strlen(name)))
}

/// Repeats a call while a signal interrupts it (EINTR), and throws any other error.
@inline(__always)
func retrying<Result: SignedInteger>(
  _ call: SystemCall, _ body: () -> Result
) throws(SystemCallError) -> Result {
  while true {
    let result = body()
    if result >= 0 { return result }
    let code = errno
    if code != EINTR { throw SystemCallError(call: call, code: code) }
  }
}

/// Opens a file for reading: follows no symlink in the last component, crosses no mount, and does not block on a FIFO.
@inline(__always)
func openFile(in folder: Int32, _ name: FileName) throws(SystemCallError) -> Int32 {
  try MountBoundary.open(.open, name, in: folder, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
}

/// Opens a folder for listing; throws ENOTDIR for a symlink (open(2), O_DIRECTORY with O_NOFOLLOW), EXDEV for a mount
/// point.
@inline(__always)
func openFolder(in folder: Int32, _ name: FileName) throws(SystemCallError) -> Int32 {
  try MountBoundary.open(.openFolder, name, in: folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
}

@inline(__always)
func status(of descriptor: Int32) throws(SystemCallError) -> stat {
  var result = stat()
  _ = try retrying(.stat) { fstat(descriptor, &result) }
  return result
}

@inline(__always)
func status(of name: FileName, in folder: Int32) throws(SystemCallError) -> stat {
  var result = stat()
  _ = try retrying(.stat) { fstatat(folder, name, &result, AT_SYMLINK_NOFOLLOW) }
  return result
}

/// Writes the whole buffer at the descriptor's position.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(SystemCallError) {
  var rest = bytes
  while let base = rest.baseAddress, !rest.isEmpty {
    let written = try retrying(.write) { write(descriptor, base, rest.count) }
    rest = UnsafeRawBufferPointer(rebasing: rest[written...])
  }
}

/// Writes the whole buffer at an offset.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int64) throws(SystemCallError) {
  var written = 0
  while written < bytes.count {
    written += try retrying(.write) {
      pwrite(descriptor, bytes.baseAddress! + written, bytes.count - written, off_t(offset) + off_t(written))
    }
  }
}

/// Reads until the buffer is full or the file ends; returns the number of bytes.
func readFull(
  _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
) throws(SystemCallError) -> Int {
  var filled = 0
  while let base = buffer.baseAddress, filled < buffer.count {
    let count = try retrying(.read) {
      pread(descriptor, base + filled, buffer.count - filled, off_t(offset) &+ off_t(filled))
    }
    if count == 0 { break }
    filled += count
  }
  return filled
}

/// The target of a symlink, with a terminating NUL. Linux limits it to PATH_MAX bytes.
func symlinkTarget(_ name: FileName, in folder: Int32) throws(SystemCallError) -> [CChar] {
  var target = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
  let count = try retrying(.readlink) { readlinkat(folder, name, &target, Int(PATH_MAX)) }
  return Array(target[..<count]) + [0]
}

extension stat {
  var kind: FileKind { FileKind(mode: st_mode) }

  /// The mtime in nanoseconds since 1970.
  var modified: Int64 { st_mtim.nanoseconds }

  /// The ctime in nanoseconds since 1970.
  var changed: Int64 { st_ctim.nanoseconds }

  /// Whether the file did not change between the two status calls, so the content read in between is one version.
  func isSameVersion(as other: stat) -> Bool {
    st_size == other.st_size && modified == other.modified && changed == other.changed
  }
}

extension timespec {
  var nanoseconds: Int64 { Int64(tv_sec) &* 1_000_000_000 &+ Int64(tv_nsec) }
}

/// Reads a clock (clock_gettime(2)), in nanoseconds.
func clock(_ id: clockid_t) -> Int64 {
  var time = timespec()
  clock_gettime(id, &time)
  return time.nanoseconds
}

/// The restrictions on path resolution by openat2(2).
package struct Resolution: OptionSet, Sendable {
  package let rawValue: UInt64

  package init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// Refuse paths that leave the folder, and the magic links of proc(5).
  package static let beneath = Resolution(rawValue: UInt64(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS))
  /// Refuse symbolic links.
  package static let noLinks = Resolution(rawValue: UInt64(RESOLVE_NO_SYMLINKS))
  /// Refuse to cross mounts.
  static let oneMount = Resolution(rawValue: UInt64(RESOLVE_NO_XDEV))
}

/// openat2(2), Linux 5.6: opens `path` below `folder`. Returns -1 with errno where it fails; ENOSYS, or EPERM in some
/// containers, where the call does not exist.
@inline(__always)
package func openat2(
  _ folder: Int32, _ path: UnsafePointer<CChar>, _ flags: Int32, mode: UInt32 = 0, _ resolution: Resolution
) -> Int32 {
  var how = open_how(flags: UInt64(flags), mode: UInt64(mode), resolve: resolution.rawValue)
  return linux_openat2(folder, path, &how)
}

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
