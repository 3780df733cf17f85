import Glibc

/// Copies one file or symlink from an open folder into another, as a new name there.
struct FileCopy {
  /// What came of it.
  enum Outcome {
    /// It is there, as the entry says.
    case copied(SnapshotEntry)
    /// It is of a kind that is not copied.
    case skipped(SkippedEntry.Reason)
    /// It is a folder by now, or was all along on a file system that does not tell in its listings.
    case isFolder
    /// It is gone since it was listed: as if it had been listed a moment later.
    case vanished
    case sourceChanged
  }

  /// What may be kept of a mode: not setuid and setgid.
  static let permissions: mode_t = 0o1777

  let folders: FolderDescriptors
  let methods: CopyMethods
  let buffer: UnsafeMutableRawBufferPointer
  let moved: ((Int64) throws(SystemCallError) -> Void)?

  /// Copies what is behind the name, whatever it is.
  func run(_ name: FileName, _ kind: FileKind) throws(SystemCallError) -> Outcome {
    do throws(SystemCallError) {
      switch kind {
      case .file: return try copyFile(name)
      case .symlink: return .copied(SnapshotEntry(try copySymlink(name)))
      case .folder: return .isFolder
      case .fifo, .socket, .device: return .skipped(kind.skipReason!)
      case .unknown:
        let actual = try status(of: name, in: folders.first).kind
        return actual == .unknown ? .skipped(.unknownKind) : try run(name, actual)
      }
    } catch {
      if error.isMount { return .skipped(.mount) }
      // The name was listed a moment ago. It is gone, or it is a symlink, or none any more.
      if error.call != .create && (error.code == ENOENT || error.code == ESTALE) { return .vanished }
      if (error.call == .open && error.code == ELOOP) || (error.call == .readlink && error.code == EINVAL) {
        return .sourceChanged
      }
      throw error
    }
  }

  private func copyFile(_ name: FileName) throws(SystemCallError) -> Outcome {
    let source = try openFile(in: folders.first, name)
    defer { close(source) }
    var before = try status(of: source)
    guard before.kind == .file else { return .sourceChanged }
    let mode = before.st_mode & Self.permissions
    let destination = try retrying(.create) {
      openat(folders.second, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
    }
    defer { close(destination) }
    let copy = ContentCopy(
      source: source, destination: destination, methods: methods, buffer: buffer, moved: moved)
    try copy.run(before)
    var after = try status(of: source)
    if !after.isSameVersion(as: before) {
      before = after
      _ = try retrying(.rewind) { lseek(source, 0, SEEK_SET) }
      _ = try retrying(.rewind) { lseek(destination, 0, SEEK_SET) }
      _ = try retrying(.setSize) { ftruncate(destination, 0) }
      try copy.run(before)
      after = try status(of: source)
      guard after.isSameVersion(as: before) else { return .sourceChanged }
    }
    try setTimes(of: destination, from: after)
    var result = try status(of: destination)
    if result.st_mode & 0o7777 != after.st_mode & Self.permissions {
      _ = try retrying(.setMode) { fchmod(destination, after.st_mode & Self.permissions) }
      result = try status(of: destination)
    }
    return result.st_size == after.st_size ? .copied(SnapshotEntry(result)) : .sourceChanged
  }

  private func copySymlink(_ name: FileName) throws(SystemCallError) -> stat {
    let target = try symlinkTarget(name, in: folders.first)
    let original = try status(of: name, in: folders.first)
    _ = try retrying(.create) { symlinkat(target, folders.second, name) }
    let times = [original.st_atim, original.st_mtim]
    // Some file systems have no times for symlinks; nothing depends on them.
    _ = utimensat(folders.second, name, times, AT_SYMLINK_NOFOLLOW)
    return try status(of: name, in: folders.second)
  }
}

/// Gives a file or folder the times of another.
@inline(__always)
func setTimes(of descriptor: Int32, from status: stat) throws(SystemCallError) {
  try withUnsafeTemporaryAllocation(of: timespec.self, capacity: 2) { (times) throws(SystemCallError) in
    times[0] = status.st_atim
    times[1] = status.st_mtim
    _ = try retrying(.setTimes) { futimens(descriptor, times.baseAddress!) }
  }
}
