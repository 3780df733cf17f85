import Glibc

/// Copies one file or symlink from an open folder to a new name in another.
struct FileCopy {
  /// The result of copying one entry.
  enum Outcome {
    /// It was copied, as the entry says.
    case copied(SnapshotEntry)
    /// Entries of its kind are not copied.
    case skipped(SkippedEntry.Reason)
    /// It has become a folder, or is one on a file system that reports no types in its listings.
    case isFolder
    /// It was removed after it was listed: treat it as if it had never been listed.
    case vanished
    case sourceChanged
  }

  /// The mode bits that are kept: not setuid and setgid.
  static let permissions: mode_t = 0o1777

  let folders: FolderDescriptors
  let methods: CopyMethods
  let attributes: Attributes
  let buffer: UnsafeMutableRawBufferPointer
  let moved: ((Int64) throws(SystemCallError) -> Void)?

  /// Copies the entry with this name, whatever its kind.
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
      // The name was listed a moment ago. Since then the entry was removed, or replaced by a symlink, or was one and is
      // none any more.
      if error.call != .create && error.saysGone { return .vanished }
      if (error.call == .open && error.code == ELOOP) || (error.call == .readlink && error.code == EINVAL) {
        return .sourceChanged
      }
      throw error
    }
  }

  /// Copies a regular file. If the server replaces it meanwhile (ESTALE, nfs(5)), begins once more with the new one.
  private func copyFile(_ name: FileName, isFirst: Bool = true) throws(SystemCallError) -> Outcome {
    let source = try openFile(in: folders.first, name)
    defer { close(source) }
    let before = try status(of: source)
    guard before.kind == .file else { return .sourceChanged }
    let destination = try retrying(.create) {
      openat(
        folders.second, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, before.st_mode & Self.permissions)
    }
    defer { close(destination) }
    do throws(SystemCallError) {
      return try fill(destination, from: source, before)
    } catch {
      guard error.saysGone else { throw error }
      // Nobody may take the half file for the whole one.
      unlinkat(folders.second, name, 0)
      return isFirst ? try copyFile(name, isFirst: false) : .sourceChanged
    }
  }

  private func fill(_ destination: Int32, from source: Int32, _ first: stat) throws(SystemCallError) -> Outcome {
    var before = first
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
    attributes.setTimes(of: destination, from: after)
    var result = try status(of: destination)
    if result.st_mode & 0o7777 != after.st_mode & Self.permissions {
      attributes.setMode(after.st_mode & Self.permissions, of: destination)
      result = try status(of: destination)
    }
    return result.st_size == after.st_size ? .copied(SnapshotEntry(result)) : .sourceChanged
  }

  private func copySymlink(_ name: FileName) throws(SystemCallError) -> stat {
    let target = try symlinkTarget(name, in: folders.first)
    let original = try status(of: name, in: folders.first)
    _ = try retrying(.create) { symlinkat(target, folders.second, name) }
    let times = [original.st_atim, original.st_mtim]
    // Some file systems store no times for symlinks; nothing depends on them.
    _ = utimensat(folders.second, name, times, AT_SYMLINK_NOFOLLOW)
    return try status(of: name, in: folders.second)
  }
}
