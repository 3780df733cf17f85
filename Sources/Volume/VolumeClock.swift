private import CLinux
private import Glibc
import Jobs
package import SystemPackage

/// The volume's own clock, read by touching a file on it: hosts' clocks differ, and a server stamps what is touched with
/// its own (utimensat(2), `UTIME_NOW`).
package struct VolumeClock: Sendable {
  package let probe: VolumePath

  /// Nanoseconds since 1970 on the volume.
  package func now() throws(VolumeError) -> Int64 {
    do throws(VolumeError) {
      return try stamp()
    } catch {
      guard error.isOfOddEntry else { throw error }
      DurableFile.setAside(probe)
      return try stamp()
    }
  }

  private func stamp() throws(VolumeError) -> Int64 {
    try onVolume("touching", probe) { () throws(Errno) in
      let file = try probe.openFile(O_WRONLY | O_CREAT, mode: 0o666)
      defer { try? file.close() }
      try touch(file)
      return nanoseconds(try status(of: file).st_mtim)
    }
  }

  /// What a look at a file's times tells.
  package struct Look {
    /// When it was touched last, in the same nanoseconds.
    package let touched: Int64
    /// Changes whenever the file does: another file of the name, another time, another size.
    package let mark: String
  }

  /// When `path` was touched last; `nil` if it is gone.
  package func touched(_ path: VolumePath) throws(VolumeError) -> Int64? {
    try look(path)?.touched
  }

  /// What its times are; `nil` if it is gone. Opening it makes a network file system ask its server instead of its cache
  /// (nfs(5), close-to-open).
  package func look(_ path: VolumePath) throws(VolumeError) -> Look? {
    do throws(Errno) {
      let file = try path.open(O_RDONLY)
      defer { try? file.close() }
      let status = try status(of: file)
      let (touched, changed) = (nanoseconds(status.st_mtim), nanoseconds(status.st_ctim))
      return Look(touched: touched, mark: "\(status.st_ino) \(status.st_size) \(touched) \(changed)")
    } catch {
      if error.saysGone { return nil }
      throw VolumeError("reading", path, error)
    }
  }
}

/// Sets the time of `file` to the volume's now.
package func touch(_ file: FileDescriptor) throws(Errno) {
  guard futimens(file.rawValue, nil) == 0 else { throw Errno(rawValue: Glibc.errno) }
}

private func nanoseconds(_ time: timespec) -> Int64 {
  withUnsafePointer(to: time) { linux_nanoseconds($0) }
}
