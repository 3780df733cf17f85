import FileTree
import Glibc
package import SystemPackage

/// The first name in an open folder for which `isIt` is true; `nil` if there is none. Invalid UTF-8 is repaired.
///
/// The folder is listed anew each time. Throws what openat(2) and readdir(3) answer.
package func firstName(in folder: FileDescriptor, where isIt: (String) -> Bool) throws(Errno) -> String? {
  let listing = openat(folder.rawValue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard listing >= 0 else { throw Errno(rawValue: Glibc.errno) }
  guard let stream = fdopendir(listing) else {
    let cause = Errno(rawValue: Glibc.errno)
    close(listing)
    throw cause
  }
  defer { closedir(stream) }
  while true {
    // readdir(3) sets errno only on an error, not at the end.
    Glibc.errno = 0
    guard let entry = readdir(stream) else {
      guard Glibc.errno == 0 else { throw Errno(rawValue: Glibc.errno) }
      return nil
    }
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if name != ".", name != "..", isIt(name) { return name }
  }
}

/// Removes `name` in a folder, with its content if it is a folder itself. A missing entry is no error.
package func removeTree(_ name: String, in folder: FileDescriptor) throws(Errno) {
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
  let target = (other ?? folder).rawValue
  var (before, after) = (stat(), stat())
  let wasThere = fstatat(folder.rawValue, name, &before, AT_SYMLINK_NOFOLLOW) == 0
  guard renameat(folder.rawValue, name, target, newName) != 0 else { return }
  let cause = Errno(rawValue: errno)
  guard cause == .noSuchFileOrDirectory, wasThere,
    fstatat(target, newName, &after, AT_SYMLINK_NOFOLLOW) == 0, after.st_ino == before.st_ino,
    after.st_dev == before.st_dev
  else { throw cause }
}

/// Restores the owner's rights to a folder, if this process is the owner.
package func giveOwnerRights(to folder: FileDescriptor) {
  var status = stat()
  guard fstat(folder.rawValue, &status) == 0, status.st_mode & 0o700 != 0o700, status.st_uid == geteuid() else {
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
  guard file >= 0 else { throw Errno(rawValue: errno) }
  return FileDescriptor(rawValue: file)
}
