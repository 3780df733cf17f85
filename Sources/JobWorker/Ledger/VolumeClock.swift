private import CLinux
private import Glibc
import SystemPackage

/// The volume's own clock, read by touching a file on it: hosts' clocks differ, and a server stamps what is touched with
/// its own (utimensat(2), `UTIME_NOW`).
struct VolumeClock: Sendable {
  let probe: VolumePath

  /// Nanoseconds since 1970 on the volume.
  func now() throws(VolumeError) -> Int64 {
    try onVolume("touching", probe) { () throws(Errno) in
      let file = try probe.openFile(O_WRONLY | O_CREAT, mode: 0o666)
      defer { try? file.close() }
      try touch(file)
      return try modificationTime(of: file)
    }
  }

  /// When `path` was touched last, in the same nanoseconds; `nil` if it is gone. Opening it makes a network file system
  /// ask its server instead of its cache (nfs(5), close-to-open).
  func touched(_ path: VolumePath) throws(VolumeError) -> Int64? {
    do throws(Errno) {
      let file = try path.open(O_RDONLY)
      defer { try? file.close() }
      return try modificationTime(of: file)
    } catch {
      guard error == .noSuchFileOrDirectory else { throw VolumeError("reading", path, error) }
      return nil
    }
  }
}

/// Sets the time of `file` to the volume's now.
func touch(_ file: FileDescriptor) throws(Errno) {
  guard futimens(file.rawValue, nil) == 0 else { throw Errno(rawValue: Glibc.errno) }
}

private func modificationTime(of file: FileDescriptor) throws(Errno) -> Int64 {
  var status = stat()
  guard fstat(file.rawValue, &status) == 0 else { throw Errno(rawValue: Glibc.errno) }
  return withUnsafePointer(to: status.st_mtim) { linux_nanoseconds($0) }
}
