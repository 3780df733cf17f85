import FileTree
import Glibc
package import SystemPackage

/// The first name in an open folder of which `isIt` says so; `nil` when there is none. What is no UTF-8 is repaired.
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
    // An error in the middle is no end.
    Glibc.errno = 0
    guard let entry = readdir(stream) else {
      guard Glibc.errno == 0 else { throw Errno(rawValue: Glibc.errno) }
      return nil
    }
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if name != ".", name != "..", isIt(name) { return name }
  }
}

/// Removes what bears `name` in a folder, a whole folder if it is one. Nothing there is no error.
package func removeTree(_ name: String, in folder: FileDescriptor) throws(Errno) {
  do throws(FileTreeError) {
    try FileTree.remove(name, in: folder)
  } catch {
    throw error.errno ?? .ioError
  }
}

/// Renames a file within a folder over whatever bears the new name. rename(2) itself does not replace a folder by a
/// file: one that stands there is removed first.
package func rename(_ name: String, to newName: String, in folder: FileDescriptor) throws(Errno) {
  do throws(Errno) {
    try move(name, to: newName, in: folder)
  } catch .isDirectory {
    try removeTree(newName, in: folder)
    try move(name, to: newName, in: folder)
  }
}

/// renameat(2), within a folder or to `other`. A server that carried it out may say ENOENT when it is asked again (nfs(5)): then what bore
/// the old name bears the new one.
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

/// Gives the owner of a folder all rights to it, if that is this process and it has taken them away from itself.
package func giveOwnerRights(to folder: FileDescriptor) {
  var status = stat()
  guard fstat(folder.rawValue, &status) == 0, status.st_mode & 0o700 != 0o700, status.st_uid == geteuid() else {
    return
  }
  fchmod(folder.rawValue, status.st_mode & 0o7777 | 0o700)
}
