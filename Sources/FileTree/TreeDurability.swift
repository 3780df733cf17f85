import CLinux
import Glibc
public import SystemPackage

extension FileTree {
  /// Makes everything below `tree` durable: by one syncfs(2) where the file system implements it fully, otherwise by
  /// fsync(2) of each file and folder.
  ///
  /// Blocks the calling thread. Follows no symlink, and holds only one folder open at a time, so any depth works.
  ///
  /// - Throws: `FileTreeError`; durability of the tree is then unknown.
  public static func makeDurable(_ tree: FileDescriptor) throws(FileTreeError) {
    do throws(SystemCallError) {
      if hasTrueSyncfs(tree.rawValue) { return try syncFileSystem(of: tree.rawValue) }
      try syncEach(below: tree.rawValue, by: sync)
    } catch {
      throw FileTreeError("sync", error, at: RelativePath(bytes: []))
    }
  }

  /// Calls `sync` for each file and folder, opened: first for the files in a folder, then for the folder.
  static func syncEach(
    below tree: Int32, by sync: (Int32) throws(SystemCallError) -> Void
  ) throws(SystemCallError) {
    var folder = try openFolder(in: tree, ".")
    defer { close(folder) }
    // The subfolders still to visit, for each folder on the path down.
    var pending = [try syncFiles(in: folder, sync)]
    while var names = pending.popLast() {
      let next: Int32
      if let name = names.popLast() {
        pending.append(names)
        guard let opened = try openUnlessMounted(name, in: folder) else { continue }
        next = opened
        close(folder)
        folder = next
        pending.append(try syncFiles(in: folder, sync))
      } else if !pending.isEmpty {
        next = try openFolder(in: folder, "..")
        close(folder)
        folder = next
      }
    }
  }

  /// Syncs the files in an open folder, then the folder itself; returns the names of its subfolders.
  private static func syncFiles(
    in folder: Int32, _ sync: (Int32) throws(SystemCallError) -> Void
  ) throws(SystemCallError) -> [[CChar]] {
    var folders: [[CChar]] = []
    try DirectoryEntries.pieces(of: folder, into: .forListing()) { (entries) throws(SystemCallError) in
      while let (name, listed) = entries.next() {
        let kind = listed == .unknown ? try status(of: name, in: folder).kind : listed
        if kind == .folder { folders.append(terminated(name)) }
        guard kind == .file else { continue }
        try syncFile(name, in: folder, sync)
      }
    }
    try sync(folder)
    return folders
  }

  private static func openUnlessMounted(_ name: FileName, in folder: Int32) throws(SystemCallError) -> Int32? {
    do throws(SystemCallError) {
      return try openFolder(in: folder, name)
    } catch {
      if error.isMount { return nil }
      throw error
    }
  }

  private static func syncFile(
    _ name: FileName, in folder: Int32, _ sync: (Int32) throws(SystemCallError) -> Void
  ) throws(SystemCallError) {
    do throws(SystemCallError) {
      let file = try openFile(in: folder, name)
      defer { close(file) }
      try sync(file)
    } catch {
      // With EACCES the mode forbids even the owner to open the file: the file system writes it back in its own time.
      // Mounted files do not belong to the tree.
      if error.code != EACCES, !error.isMount { throw error }
    }
  }
}

/// Whether syncfs(2) makes all data durable that was written to the file system of an open file.
///
/// FUSE flushes to its daemon but does not ask it to store anything: only fsync reaches the server.
func hasTrueSyncfs(_ descriptor: Int32) -> Bool {
  let fuse: Int64 = 0x6573_5546
  return ![-1, fuse].contains(linux_file_system_of(descriptor))
}

/// Makes a file or folder durable (fsync(2)). Some file systems (CIFS, vboxsf, some FUSE ones) support no fsync on
/// folders, or none at all, and fail with EINVAL: this is ignored, since they offer nothing else.
func sync(_ descriptor: Int32) throws(SystemCallError) {
  do throws(SystemCallError) {
    _ = try retrying(.sync) { fsync(descriptor) }
  } catch {
    if ![EINVAL, ENOTSUP, EOPNOTSUPP].contains(error.code) { throw error }
  }
}

/// Writes all dirty data of the file system of an open file to the disk (syncfs(2)).
func syncFileSystem(of descriptor: Int32) throws(SystemCallError) {
  _ = try retrying(.sync) { linux_syncfs(descriptor) }
}
