private import CLinux
import FileTree
private import Glibc
import Jobs
package import SystemPackage

// Folders by their paths.
extension DurableFile {
  /// The visible names in a folder; none if there is no folder.
  package static func names(in folder: VolumePath) throws(VolumeError) -> [String] {
    try allNames(in: folder).filter { !$0.hasPrefix(".") }
  }

  /// The hidden names in a folder.
  static func hiddenNames(in folder: VolumePath) throws(VolumeError) -> [String] {
    try allNames(in: folder).filter { $0.hasPrefix(".") }
  }

  /// All names in a folder but `.` and `..`.
  package static func allNames(in folder: VolumePath) throws(VolumeError) -> [String] {
    do throws(VolumeError) {
      return try listing(of: folder)
    } catch {
      guard error.cause == .permissionDenied, !folder.isRoot else { throw error }
      try giveRights(onTheWayTo: folder)
      return try listing(of: folder)
    }
  }

  /// Makes all parents folders, and restores this process's rights to its own.
  private static func giveRights(onTheWayTo folder: VolumePath) throws(VolumeError) {
    if !folder.folder.isRoot { try giveRights(onTheWayTo: folder.folder) }
    try ensureFolder(folder)
  }

  private static func listing(of folder: VolumePath) throws(VolumeError) -> [String] {
    do throws(Errno) {
      var names: [String] = []
      try search(try folder.open(O_RDONLY | O_DIRECTORY)) { bytes in
        if let name = String(validating: bytes, as: UTF8.self), name != ".", name != ".." { names.append(name) }
        return false
      }
      return names
    } catch {
      // An entry that is no folder has no names; a worker that creates a file there moves it away first.
      let isNone = error.saysGone || [.notDirectory, .tooManySymbolicLinkLevels].contains(error)
      guard isNone, !folder.isRoot else { throw VolumeError("listing", folder, error) }
      return []
    }
  }

  /// Creates a folder at any path, with missing parents.
  package static func makeFolder(_ path: FilePath, mode: UInt32 = 0o777) throws(VolumeError) {
    if mkdir(path.string, mode) == 0 { return }
    let cause = Errno(rawValue: Glibc.errno)
    if cause == .fileExists { return }
    let parent = path.removingLastComponent()
    guard cause == .noSuchFileOrDirectory, !parent.isEmpty, parent != path else {
      throw VolumeError("creating", path, cause)
    }
    try makeFolder(parent, mode: mode)
    guard mkdir(path.string, mode) == 0 || Glibc.errno == EEXIST else {
      throw VolumeError("creating", path, Errno(rawValue: Glibc.errno))
    }
  }

  /// Creates `path` with missing parents, but never the root. Below the first level, where only workers create entries,
  /// ``ensureFolder(_:)`` turns any other entry into a folder.
  package static func makeFolder(_ path: VolumePath, mode: UInt32 = 0o777) throws(VolumeError) {
    let make = { () throws(Errno) in
      try path.inFolder { (folder, name) throws(Errno) in
        guard mkdirat(folder.rawValue, name, mode) != 0 else { return true }
        guard Glibc.errno == EEXIST else { throw Errno(rawValue: Glibc.errno) }
        guard let found = try? status(of: name, in: folder) else { return false }
        return isFolder(found) && hasOwnersRights(found)
      }
    }
    var isUsable: Bool
    do throws(Errno) {
      isUsable = try make()
    } catch {
      let isMended: Set<Errno> = [
        .noSuchFileOrDirectory, .staleNFSFileHandle, .notDirectory, .tooManySymbolicLinkLevels, .permissionDenied,
      ]
      guard isMended.contains(error), !path.folder.isRoot else { throw VolumeError("creating", path, error) }
      try makeFolder(path.folder, mode: mode)
      isUsable = try onVolume("creating", path, make)
    }
    if !isUsable, !path.folder.isRoot { try ensureFolder(path) }
  }
}

// The entries of open folders.

/// The first name in an open folder for which `isIt` is true; `nil` if there is none. Invalid UTF-8 is repaired.
///
/// The folder is listed anew each time. Throws what openat(2) and readdir(3) answer.
package func firstName(in folder: FileDescriptor, where isIt: (String) -> Bool) throws(Errno) -> String? {
  var found: String?
  try search(try openFile(".", .directory, in: folder)) { bytes in
    let name = String(decoding: bytes, as: UTF8.self)
    guard name != ".", name != "..", isIt(name) else { return false }
    found = name
    return true
  }
  return found
}

/// Calls `body` with each name in a folder until it returns `true`, and closes the folder.
private func search(_ folder: FileDescriptor, _ body: (UnsafeRawBufferPointer) -> Bool) throws(Errno) {
  guard let stream = fdopendir(folder.rawValue) else {
    let cause = Errno(rawValue: Glibc.errno)
    try? folder.close()
    throw cause
  }
  defer { closedir(stream) }
  while true {
    // readdir(3) sets errno only on an error, not at the end.
    Glibc.errno = 0
    guard let entry = readdir(stream) else {
      guard Glibc.errno == 0 else { throw Errno(rawValue: Glibc.errno) }
      return
    }
    let isFound = withUnsafeBytes(of: &entry.pointee.d_name) { name in
      body(UnsafeRawBufferPointer(rebasing: name.prefix { $0 != 0 }))
    }
    if isFound { return }
  }
}

/// Removes `name` in a folder, with its content if it is a folder itself. A missing entry is no error.
func removeTree(_ name: String, in folder: FileDescriptor) throws(Errno) {
  do throws(FileTreeError) {
    try FileTree.remove(name, in: folder)
  } catch {
    throw error.errno ?? .ioError
  }
}

/// Renames a file within a folder, and replaces any entry of the new name. rename(2) does not replace a folder by a
/// file: such a folder is removed first.
package func rename(_ name: String, to newName: String, in folder: FileDescriptor) throws(Errno) {
  do throws(Errno) {
    try move(name, to: newName, in: folder)
  } catch .isDirectory {
    try removeTree(newName, in: folder)
    try move(name, to: newName, in: folder)
  }
}

/// renameat(2), within a folder or to `other`. An NFS server may answer ENOENT when it gets the request again after
/// carrying it out (nfs(5)): then the new name is the same file.
package func move(
  _ name: String, to newName: String, in folder: FileDescriptor, to other: FileDescriptor? = nil
) throws(Errno) {
  let target = other ?? folder
  let before = try? status(of: name, in: folder)
  guard renameat(folder.rawValue, name, target.rawValue, newName) != 0 else { return }
  let cause = Errno(rawValue: Glibc.errno)
  guard cause == .noSuchFileOrDirectory, let before, let after = try? status(of: newName, in: target),
    after.isSameFile(as: before)
  else { throw cause }
}

/// Gives a folder a free name. Throws `EEXIST` if the name is taken: it never replaces anything.
package func renameFolder(_ name: String, toFree newName: String, in parent: FileDescriptor) throws(Errno) {
  let top = parent.rawValue
  if linux_rename_new(top, name, newName) == 0 { return }
  // NFS and old kernels lack RENAME_NOREPLACE. The process that creates the empty folder has the name, and rename(2)
  // replaces an empty folder.
  guard [EINVAL, ENOSYS, ENOTSUP].contains(errno) else { throw Errno(rawValue: errno) }
  guard mkdirat(top, newName, 0o700) == 0 else { throw Errno(rawValue: errno) }
  guard renameat(top, name, top, newName) == 0 else {
    let cause = Errno(rawValue: errno)
    unlinkat(top, newName, AT_REMOVEDIR)
    throw cause
  }
}

/// Restores the owner's rights to a folder, if this process is the owner.
package func giveOwnerRights(to folder: FileDescriptor) {
  guard let status = try? status(of: folder), status.st_mode & 0o700 != 0o700, status.st_uid == geteuid() else {
    return
  }
  fchmod(folder.rawValue, status.st_mode & 0o7777 | 0o700)
}

/// Opens `name` in `folder` for reading. Follows no link, and never blocks on a FIFO.
package func openFile(
  _ name: String, _ options: FileDescriptor.OpenOptions = [], in folder: FileDescriptor
) throws(Errno) -> FileDescriptor {
  let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | options.rawValue
  let file = openat(folder.rawValue, name, flags)
  guard file >= 0 else { throw Errno(rawValue: Glibc.errno) }
  return FileDescriptor(rawValue: file)
}

/// Moves each entry of `source` into a new folder `name` in `place`. If a folder among them cannot be renamed, it is made
/// anew there, and its entries are moved in the same way. Names are bytes.
///
/// Asks `mayGoOn` after each entry, and returns `false` as soon as it says no; the last entry, which may not have been the
/// caller's any more, gets its place back then, if that is free. Throws `Errno` if one cannot be moved, after it has put the
/// others back.
func moveContent(
  of source: FileDescriptor, into name: [CChar], in place: FileDescriptor, while mayGoOn: () -> Bool
) throws(Errno) -> Bool {
  guard mkdirat(place.rawValue, name, 0o777) == 0 else { throw Errno(rawValue: Glibc.errno) }
  let target = try openFolder(name, in: place)
  defer { try? target.close() }
  if let status = try? status(of: source) {
    _ = fchown(target.rawValue, status.st_uid, status.st_gid)
    fchmod(target.rawValue, status.st_mode & 0o7777)
  }
  var names: [[CChar]] = []
  try search(try openFile(".", .directory, in: source)) { bytes in
    let name = bytes.map { CChar(bitPattern: $0) }
    if ![[0x2E], [0x2E, 0x2E]].contains(name) { names.append(name + [0]) }
    return false
  }
  var moved: [[CChar]] = []
  do throws(Errno) {
    for name in names {
      guard try moveEntry(name, from: source, to: target, while: mayGoOn) else { return false }
      moved.append(name)
      if mayGoOn() { continue }
      var status = stat()
      if fstatat(source.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) != 0 {
        renameat(target.rawValue, name, source.rawValue, name)
      }
      return false
    }
  } catch {
    for name in moved.reversed() { renameat(target.rawValue, name, source.rawValue, name) }
    unlinkat(place.rawValue, name, AT_REMOVEDIR)
    throw error
  }
  return true
}

private func moveEntry(
  _ name: [CChar], from source: FileDescriptor, to target: FileDescriptor, while mayGoOn: () -> Bool
) throws(Errno) -> Bool {
  if renameat(source.rawValue, name, target.rawValue, name) == 0 { return true }
  let cause = Errno(rawValue: Glibc.errno)
  // Another file system is one for all that is in the folder.
  guard cause != .improperLink, let folder = try? openFolder(name, in: source) else { throw cause }
  defer { try? folder.close() }
  guard try moveContent(of: folder, into: name, in: target, while: mayGoOn) else { return false }
  guard unlinkat(source.rawValue, name, AT_REMOVEDIR) == 0 else { throw Errno(rawValue: Glibc.errno) }
  return true
}

/// Opens the folder of a name that was read from `place`.
private func openFolder(_ name: [CChar], in place: FileDescriptor) throws(Errno) -> FileDescriptor {
  let descriptor = openat(place.rawValue, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
  guard descriptor >= 0 else { throw Errno(rawValue: Glibc.errno) }
  return FileDescriptor(rawValue: descriptor)
}

/// Makes a folder; `false` if there is one of that name.
@discardableResult
func makeFolder(_ name: String, in place: FileDescriptor) throws(Errno) -> Bool {
  let made = mkdirat(place.rawValue, name, 0o777) == 0
  guard made || Glibc.errno == EEXIST else { throw Errno(rawValue: Glibc.errno) }
  return made
}
