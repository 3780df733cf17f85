import CLinux
import Glibc

/// The system calls of this library, by the words that an error message has for them.
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

/// A system call that failed: which one, and its errno.
struct SystemCallError: Error {
  let call: SystemCall
  let code: Int32

  /// Something is mounted on what was to be opened.
  var isMount: Bool { code == EXDEV && (call == .open || call == .openFolder) }

  /// Whoever asked for the work wants it no more.
  var isCancellation: Bool { code == ECANCELED }
}

/// A NUL-terminated file name, as the kernel takes it.
typealias FileName = UnsafePointer<CChar>

/// An own copy of a name, with its NUL.
func terminated(_ name: FileName) -> [CChar] {
  Array(UnsafeBufferPointer(start: name, count: strlen(name) + 1))
}

/// The bytes of a name, without its NUL.
func bytes(of name: FileName) -> [UInt8] {
  Array(UnsafeRawBufferPointer(start: name, count: strlen(name)))
}

/// Runs a call again while a signal interrupts it, and throws what else goes wrong.
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

/// Opens a file to read it: never by a symlink in the last component, never over a mount, and without waiting for the other
/// end of a FIFO.
@inline(__always)
func openFile(in folder: Int32, _ name: FileName) throws(SystemCallError) -> Int32 {
  try MountBoundary.open(.open, name, in: folder, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
}

/// Opens a folder to list it; a symlink in its place is ENOTDIR (open(2), O_DIRECTORY with O_NOFOLLOW), a mount EXDEV.
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

/// Reads until the buffer is full or the file ends; returns how much came.
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

  /// The last change of the content, in nanoseconds since 1970.
  var modified: Int64 { st_mtim.nanoseconds }

  /// The last change of the inode, in nanoseconds since 1970.
  var changed: Int64 { st_ctim.nanoseconds }

  /// Whether content that was read between two looks at a file is one version of it.
  func isSameVersion(as other: stat) -> Bool {
    st_size == other.st_size && modified == other.modified && changed == other.changed
  }
}

extension timespec {
  var nanoseconds: Int64 { Int64(tv_sec) &* 1_000_000_000 &+ Int64(tv_nsec) }
}

/// A clock of clock_gettime(2), in nanoseconds.
func clock(_ id: clockid_t) -> Int64 {
  var time = timespec()
  clock_gettime(id, &time)
  return time.nanoseconds
}

/// What openat2(2) refuses on its way to a file.
package struct Resolution: OptionSet, Sendable {
  package let rawValue: UInt64

  package init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// To lead out of the folder, or over links of proc(5) that are none.
  package static let beneath = Resolution(rawValue: UInt64(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS))
  /// Symbolic links.
  package static let noLinks = Resolution(rawValue: UInt64(RESOLVE_NO_SYMLINKS))
  /// To go from one mount to another.
  package static let oneMount = Resolution(rawValue: UInt64(RESOLVE_NO_XDEV))
}

/// openat2(2), Linux 5.6: opens `path` below `folder`. -1 with errno; ENOSYS, or EPERM in some containers, where there is no such
/// call.
@inline(__always)
package func openat2(
  _ folder: Int32, _ path: UnsafePointer<CChar>, _ flags: Int32, mode: UInt32 = 0, _ resolution: Resolution
) -> Int32 {
  var how = open_how(flags: UInt64(flags), mode: UInt64(mode), resolve: resolution.rawValue)
  return linux_openat2(folder, path, &how)
}
