import CLinux
import Glibc

/// A system call that failed: which one, and its errno.
struct CallFailure: Error {
  let call: Call
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
  _ call: Call, _ body: () -> Result
) throws(CallFailure) -> Result {
  while true {
    let result = body()
    if result >= 0 { return result }
    let code = errno
    if code != EINTR { throw CallFailure(call: call, code: code) }
  }
}

/// Opens a file to read it: never by a symlink in the last component, never over a mount, and without waiting for the other
/// end of a FIFO.
@inline(__always)
func openFile(in folder: Int32, _ name: FileName) throws(CallFailure) -> Int32 {
  try MountBoundary.open(.open, name, in: folder, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
}

/// Opens a folder to list it; a symlink in its place is ENOTDIR (open(2), O_DIRECTORY with O_NOFOLLOW), a mount EXDEV.
@inline(__always)
func openFolder(in folder: Int32, _ name: FileName) throws(CallFailure) -> Int32 {
  try MountBoundary.open(.openFolder, name, in: folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
}

@inline(__always)
func status(of descriptor: Int32) throws(CallFailure) -> stat {
  var result = stat()
  _ = try retrying(.stat) { fstat(descriptor, &result) }
  return result
}

@inline(__always)
func status(of name: FileName, in folder: Int32) throws(CallFailure) -> stat {
  var result = stat()
  _ = try retrying(.stat) { fstatat(folder, name, &result, AT_SYMLINK_NOFOLLOW) }
  return result
}

/// Writes the whole buffer at the descriptor's position.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(CallFailure) {
  var rest = bytes
  while let base = rest.baseAddress, !rest.isEmpty {
    let written = try retrying(.write) { write(descriptor, base, rest.count) }
    rest = UnsafeRawBufferPointer(rebasing: rest[written...])
  }
}

/// Writes the whole buffer at an offset.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int64) throws(CallFailure) {
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
) throws(CallFailure) -> Int {
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
func symlinkTarget(_ name: FileName, in folder: Int32) throws(CallFailure) -> [CChar] {
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
