private import CLinux
private import Glibc
import Jobs
package import SystemPackage

/// The volume's own clock, read by touching a file on it: hosts' clocks differ, and a server sets the time by its own
/// (utimensat(2), `UTIME_NOW`).
package struct VolumeClock: Sendable {
  package let probe: VolumePath

  /// Nanoseconds since 1970 on the volume.
  package func now() throws(VolumeError) -> Int64 {
    do throws(VolumeError) {
      return try stamp()
    } catch {
      guard error.isOfOddEntry || error.cause.saysGone else { throw error }
      // ESTALE: the server replaced the file during the open (nfs(5)).
      if error.isOfOddEntry { DurableFile.setAside(probe) }
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

  /// The times of a file.
  package struct Look {
    /// The time of the last touch, in nanoseconds since 1970 on the volume.
    package let touched: Int64
    /// Changes whenever the file does: with another inode, time or size.
    package let mark: String
  }

  /// The time of the last touch of `path`; `nil` if it is gone.
  package func touched(_ path: VolumePath) throws(VolumeError) -> Int64? {
    try look(path)?.touched
  }

  /// The times of `path`; `nil` if it is gone. Opening it makes a network file system ask its server instead of its
  /// cache (nfs(5), close-to-open).
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

extension JobsDirectory {
  /// The volume's time now, in nanoseconds since 1970, for a process that is no worker: its probe is removed again.
  package func time() throws(VolumeError) -> Int64 {
    let clock = VolumeClock(probe: (DurableFile.exists(clocks) ? clocks : top).appending(".prune-clock"))
    let now = try clock.now()
    try DurableFile.remove(clock.probe)
    return now
  }
}

/// Sets the time of `file` to the volume's current time.
package func touch(_ file: FileDescriptor) throws(Errno) {
  guard futimens(file.rawValue, nil) == 0 else { throw Errno(rawValue: Glibc.errno) }
}

private func nanoseconds(_ time: timespec) -> Int64 {
  withUnsafePointer(to: time) { linux_nanoseconds($0) }
}

/// The clock that sets the times of files on a volume, which decides how workers detect an expired lease.
///
/// On a local file system and on NFS, whose server sets the times (RFC 8881, section 18.30, `SET_TO_SERVER_TIME4`), all
/// times come from one clock: the age of a claim is the time since its last touch. Others (GlusterFS, sshfs and all of
/// FUSE, CephFS, SMB, 9P) take some or all times from the writing host, so an age includes the difference of two hosts'
/// clocks. There a claim has expired only for a worker that has seen it unchanged for a whole lease. An unknown file
/// system is treated so, too: waiting too long delays a job, and waiting too short runs it twice.
package enum TimeSource: String, Sendable {
  /// One clock sets all times.
  case volume
  /// Each host may set times by its own clock.
  case hosts
}

/// The kind of a file system.
package struct FileSystemKind: Sendable {
  /// The name, or the number in statfs(2).
  package let name: String
  /// The clock of its files.
  package let times: TimeSource

  /// The kind of the file system at `path`; unknown if statfs(2) fails.
  package init(of path: FilePath) { self.init(linux_file_system(path.string)) }

  /// The kind of the file system of an open file.
  init(of file: FileDescriptor) { self.init(linux_file_system_of(file.rawValue)) }

  private init(_ number: Int64) {
    guard let number = UInt32(exactly: number) else {
      (name, times) = ("an unknown file system", .hosts)
      return
    }
    if let name = FileSystemKind.ofOneClock[number] {
      (self.name, times) = (name, .volume)
    } else {
      (name, times) = (FileSystemKind.ofManyClocks[number] ?? "0x\(String(number, radix: 16))", .hosts)
    }
  }

  /// Whether its client may accept what the server has no room for. SMB's makes a file longer, where it should allocate.
  var fillsLate: Bool { ["NFS", "SMB", "CephFS"].contains(name) }

  /// The numbers are those of linux/magic.h and statfs(2).
  private static let ofOneClock: [UInt32: String] = [
    0xEF53: "ext4", 0x5846_5342: "XFS", 0x9123_683E: "Btrfs", 0xF2F5_2010: "F2FS", 0x0102_1994: "tmpfs",
    0x8584_58F6: "ramfs", 0x794C_7630: "overlayfs", 0x2FC1_2FC1: "ZFS", 0xCA45_1A4E: "bcachefs", 0x3153_464A: "JFS",
    0x5265_4973: "ReiserFS", 0x6969: "NFS",
  ]

  private static let ofManyClocks: [UInt32: String] = [
    0x6573_5546: "FUSE", 0x00C3_6400: "CephFS", 0xFF53_4D42: "SMB", 0xFE53_4D42: "SMB", 0x517B: "SMB",
    0x0102_1997: "9P", 0x786F_4256: "vboxsf", 0x0BD0_0BD0: "Lustre", 0x4750_4653: "GPFS", 0x6B41_4653: "AFS",
  ]
}
