private import CLinux
import FileTree
package import Glibc
package import SystemPackage

/// A folder that the user named, or a path below it.
///
/// The folder itself may be a link, or be reached by one. Below it anybody may have created anything: no link is
/// followed there, nothing leads out, and no open blocks (openat2(2), `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`). So
/// all operations start at an open folder, by ``inFolder(_:_:)``; the text of the path is for people.
package struct VolumePath: Hashable, Sendable, CustomStringConvertible {
  package let root: FilePath
  /// The names below the root with slashes between them; empty for the root.
  private let names: String

  /// The folder `root` itself.
  package init(_ root: FilePath) {
    self.init(root, "")
  }

  /// A file in a folder that the user named.
  package init(file path: FilePath) {
    self.init(path.removingLastComponent(), path.lastComponent?.string ?? ".")
  }

  private init(_ root: FilePath, _ names: String) {
    self.root = root
    self.names = names
  }

  /// The entry `name` in this folder.
  package func appending(_ name: String) -> VolumePath {
    VolumePath(root, names.isEmpty ? name : "\(names)/\(name)")
  }

  /// The parent folder; the root for the root.
  package var folder: VolumePath {
    guard let slash = names.utf8.lastIndex(of: UInt8(ascii: "/")) else { return VolumePath(root) }
    return VolumePath(root, String(names[..<slash]))
  }

  /// The last name; "." for the root.
  package var name: String {
    guard let slash = names.utf8.lastIndex(of: UInt8(ascii: "/")) else { return names.isEmpty ? "." : names }
    return String(names[names.index(after: slash)...])
  }

  var isRoot: Bool { names.isEmpty }

  /// The whole path, for people and for other programs.
  package var path: FilePath { names.isEmpty ? root : root.appending(names) }

  /// The whole path.
  package var description: String { path.string }
}

extension VolumePath {
  /// Opens the entry with the `flags` of open(2). Never blocks on a FIFO.
  ///
  /// Throws `ELOOP` if it or a parent is a link (`ENOTDIR` if the kernel has no openat2(2)).
  package func open(_ flags: Int32, mode: mode_t = 0) throws(Errno) -> FileDescriptor {
    let top = try openRoot()
    defer { try? top.close() }
    return try openBeneath(top, names.isEmpty ? "." : names, flags, mode: mode)
  }

  /// Opens a regular file. Throws `EISDIR` for a folder and `EINVAL` for anything else.
  package func openFile(_ flags: Int32, mode: mode_t = 0) throws(Errno) -> FileDescriptor {
    let file = try open(flags, mode: mode)
    do {
      _ = try regularStatus(of: file)
      return file
    } catch {
      try? file.close()
      throw error
    }
  }

  /// Calls `body` with the open parent folder and the name in it. The folder is opened for reading if it is to be
  /// synced.
  func inFolder<T>(
    _ use: FolderUse = .names, _ body: (_ folder: FileDescriptor, _ name: String) throws(Errno) -> T
  ) throws(Errno) -> T {
    let folder = try folder.open(use == .names ? linuxPathOnly | O_DIRECTORY : O_RDONLY | O_DIRECTORY)
    defer { try? folder.close() }
    return try body(folder, name)
  }

  enum FolderUse {
    /// To look up and change names.
    case names
    /// Also to sync the changes.
    case sync
  }

  /// The status of the entry; of a link itself, not its target.
  package func status() throws(Errno) -> stat {
    try inFolder { (folder, name) throws(Errno) in
      try Volume.status(of: name, in: folder)
    }
  }

  /// Renames it within its folder.
  package func rename(to name: String) throws(Errno) {
    try inFolder { (folder, old) throws(Errno) in
      guard renameat(folder.rawValue, old, folder.rawValue, name) == 0 else { throw Errno(rawValue: errno) }
    }
  }

  /// Throws `EACCES` or `EROFS` if this process may not create and remove names in this folder.
  package func checkWritable() throws(Errno) {
    let folder = try open(linuxPathOnly | O_DIRECTORY)
    defer { try? folder.close() }
    guard faccessat(folder.rawValue, ".", W_OK | X_OK, 0) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Opens the root.
  func openRoot() throws(Errno) -> FileDescriptor {
    let file = root.withPlatformString { Glibc.open($0, linuxPathOnly | O_DIRECTORY | O_CLOEXEC) }
    guard file >= 0 else { throw Errno(rawValue: errno) }
    return FileDescriptor(rawValue: file)
  }
}

/// Opens `path` below `folder`, and nothing outside of it. Never blocks on a FIFO.
///
/// Throws `EXDEV` for a path that leads out. If the kernel or the container has no openat2(2), names are opened one by
/// one, and no link is followed.
package func openBeneath(
  _ folder: FileDescriptor, _ path: String, _ flags: Int32, mode: mode_t = 0, links: LinksBeneath = .refused
) throws(Errno) -> FileDescriptor {
  // openat2(2) refuses O_NONBLOCK with O_PATH.
  let flags = flags & linuxPathOnly != 0 ? flags : flags | O_NONBLOCK
  let resolution: Resolution = links == .followed ? .beneath : [.beneath, .noLinks]
  for _ in 0..<100 {
    let file = openat2(folder.rawValue, path, flags | O_CLOEXEC, mode: flags & O_CREAT != 0 ? mode : 0, resolution)
    if file >= 0 { return FileDescriptor(rawValue: file) }
    switch Errno(rawValue: errno) {
    // EAGAIN: with ".." in a link, and a rename meanwhile.
    case .interrupted, .resourceTemporarilyUnavailable: continue
    // Docker's filter before 20.10.7 answers EPERM.
    case .noFunction, .notPermitted: return try openStepwise(folder, path, flags, mode)
    case let cause: throw cause
    }
  }
  throw .resourceTemporarilyUnavailable
}

private func openStepwise(
  _ folder: FileDescriptor, _ path: String, _ flags: Int32, _ mode: mode_t
) throws(Errno) -> FileDescriptor {
  let names = path.split(separator: "/")
  guard let last = names.last, !names.contains("..") else { throw .improperLink }
  var above: FileDescriptor?
  defer { try? above?.close() }
  for name in names.dropLast() {
    let next = openat(
      (above ?? folder).rawValue, String(name), linuxPathOnly | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard next >= 0 else { throw Errno(rawValue: errno) }
    try? above?.close()
    above = FileDescriptor(rawValue: next)
  }
  let file = openat((above ?? folder).rawValue, String(last), flags | O_NOFOLLOW | O_CLOEXEC, mode)
  guard file >= 0 else { throw Errno(rawValue: errno) }
  return FileDescriptor(rawValue: file)
}

/// The status of an open regular file; throws `EISDIR` for a folder and `EINVAL` for anything else.
@discardableResult
func regularStatus(of file: FileDescriptor) throws(Errno) -> stat {
  let status = try status(of: file)
  switch status.st_mode & S_IFMT {
  case S_IFREG: return status
  case S_IFDIR: throw .isDirectory
  default: throw .invalidArgument
  }
}

/// The status of an open file.
package func status(of file: FileDescriptor) throws(Errno) -> stat {
  var status = stat()
  guard fstat(file.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
  return status
}

/// The status of the entry `name` in an open folder; of a link itself, not its target.
func status(of name: String, in folder: FileDescriptor) throws(Errno) -> stat {
  var status = stat()
  guard fstatat(folder.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw Errno(rawValue: errno) }
  return status
}

extension stat {
  /// Whether both are of one file (inode(7)).
  func isSameFile(as other: stat) -> Bool { st_ino == other.st_ino && st_dev == other.st_dev }
}

/// The path without links; `nil` if it does not exist.
package func realPath(_ path: FilePath) -> FilePath? {
  guard let resolved = realpath(path.string, nil) else { return nil }
  defer { free(resolved) }
  return FilePath(platformString: resolved)
}

/// Runs `body` and turns the `Errno` that it throws into a ``VolumeError``.
package func onVolume<T>(_ operation: String, _ path: FilePath, _ body: () throws(Errno) -> T) throws(VolumeError) -> T
{
  do {
    return try body()
  } catch {
    throw VolumeError(operation, path, error)
  }
}

/// The same below a folder that the user named.
package func onVolume<T>(_ operation: String, _ path: VolumePath, _ body: () throws(Errno) -> T) throws(VolumeError)
  -> T
{
  try onVolume(operation, path.path, body)
}
