private import CLinux
import FileTree
package import Glibc
package import SystemPackage

/// A folder that the user named, or what lies below it.
///
/// The folder itself may be a link, or lie behind one. Below it anybody may have put anything: no link is followed there, nothing
/// leads out, and nothing is waited for (openat2(2), `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`). So whatever is done to a
/// path is done below an open folder, by ``inFolder(_:_:)``; its text is for people.
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

  /// What bears this name in the folder that is meant.
  package func appending(_ name: String) -> VolumePath {
    VolumePath(root, names.isEmpty ? name : "\(names)/\(name)")
  }

  /// The folder that it lies in; the root for the root.
  package var folder: VolumePath {
    guard let slash = names.utf8.lastIndex(of: UInt8(ascii: "/")) else { return VolumePath(root) }
    return VolumePath(root, String(names[..<slash]))
  }

  /// Its name in there; "." for the root.
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
  /// Opens what is here. `flags` as for open(2); it is never waited for the other end of a FIFO.
  ///
  /// Throws `ELOOP` when it is a link, or a link stands in the way (`ENOTDIR` where the kernel has no openat2(2)).
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

  /// Calls `body` with the open folder that this lies in, and its name there. The folder is opened for reading if it is to be
  /// synced.
  func inFolder<T>(
    _ use: FolderUse = .names, _ body: (_ folder: FileDescriptor, _ name: String) throws(Errno) -> T
  ) throws(Errno) -> T {
    let folder = try folder.open(use == .names ? linuxPathOnly | O_DIRECTORY : O_RDONLY | O_DIRECTORY)
    defer { try? folder.close() }
    return try body(folder, name)
  }

  enum FolderUse {
    /// Its names are looked up and changed.
    case names
    /// And what is changed is made durable.
    case sync
  }

  /// What bears the name; of a link, of itself.
  package func status() throws(Errno) -> stat {
    try inFolder { (folder, name) throws(Errno) in
      var status = stat()
      guard fstatat(folder.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw Errno(rawValue: errno) }
      return status
    }
  }

  /// Gives it another name in its folder.
  package func rename(to name: String) throws(Errno) {
    try inFolder { (folder, old) throws(Errno) in
      guard renameat(folder.rawValue, old, folder.rawValue, name) == 0 else { throw Errno(rawValue: errno) }
    }
  }

  /// Throws `EACCES` or `EROFS` when this process may not make and remove names in this folder.
  package func checkWritable() throws(Errno) {
    let folder = try open(linuxPathOnly | O_DIRECTORY)
    defer { try? folder.close() }
    guard faccessat(folder.rawValue, ".", W_OK | X_OK, 0) == 0 else { throw Errno(rawValue: errno) }
  }

  /// A descriptor of the root to start from.
  func openRoot() throws(Errno) -> FileDescriptor {
    let file = root.withPlatformString { Glibc.open($0, linuxPathOnly | O_DIRECTORY | O_CLOEXEC) }
    guard file >= 0 else { throw Errno(rawValue: errno) }
    return FileDescriptor(rawValue: file)
  }
}

/// Whether links below a folder are followed, as long as they do not lead out of it.
enum LinksBeneath {
  case refused, followed
}

/// Opens `path` below `folder`, and nothing outside of it; never waits on a FIFO.
///
/// Throws `EXDEV` for what leads out. Where the kernel, or the container around it, has no openat2(2), names are opened one by
/// one, and no link is followed.
func openBeneath(
  _ folder: FileDescriptor, _ path: String, _ flags: Int32, mode: mode_t = 0, links: LinksBeneath = .refused
) throws(Errno) -> FileDescriptor {
  // openat2(2) takes no other flag with O_PATH.
  let flags = flags & linuxPathOnly != 0 ? flags : flags | O_NONBLOCK
  let resolution: Resolution = links == .followed ? .beneath : [.beneath, .noLinks]
  for _ in 0..<100 {
    let file = openat2(folder.rawValue, path, flags | O_CLOEXEC, mode: flags & O_CREAT != 0 ? mode : 0, resolution)
    if file >= 0 { return FileDescriptor(rawValue: file) }
    switch Errno(rawValue: errno) {
    // With ".." in a link, something was renamed meanwhile.
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

package func status(of file: FileDescriptor) throws(Errno) -> stat {
  var status = stat()
  guard fstat(file.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
  return status
}
