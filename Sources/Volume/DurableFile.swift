private import Glibc
import Jobs
package import SystemPackage

/// Small files that must survive a crash of the machine.
package enum DurableFile {
  /// Creates `path` exclusively with `bytes` in it; file and folder are on disk when this returns. `nil` if there is
  /// one already. `written` is called when it holds the bytes, and before they are on disk, which may take long.
  package static func create(
    _ path: VolumePath, _ bytes: [UInt8], written: (FileDescriptor) -> Void = { _ in }
  ) throws(VolumeError) -> FileDescriptor? {
    var operation = "creating"
    do throws(Errno) {
      return try path.inFolder(.sync) { (folder, name) throws(Errno) in
        guard let file = try createNew(name, O_RDWR, in: folder) else { return nil }
        operation = "writing"
        do throws(Errno) {
          try file.store(bytes)
          written(file)
          try sync(file)
          operation = "syncing"
          try sync(folder)
          return file
        } catch {
          // A file that is there but not whole would hold the name for ever.
          if isNamed(file, name, in: folder) { unlinkat(folder.rawValue, name, 0) }
          try? file.close()
          throw error
        }
      }
    } catch {
      throw VolumeError(operation, path, error)
    }
  }

  /// `nil` if something bears the name.
  private static func createNew(
    _ name: String, _ access: Int32, in folder: FileDescriptor
  ) throws(Errno) -> FileDescriptor? {
    do throws(Errno) {
      return try openBeneath(folder, name, access | O_CREAT | O_EXCL, mode: 0o666)
    } catch {
      guard error == .fileExists else { throw error }
      return nil
    }
  }

  /// Puts `bytes` at `path` by rename; readers see the old or the new content, whole.
  static func replace(_ path: VolumePath, _ bytes: [UInt8]) throws(VolumeError) {
    try rewrite(path, bytes, .sync)
  }

  /// As ``replace(_:_:)``, when it is the same whether a power failure leaves the old or the new content: one fsync(2) less.
  static func rewrite(_ path: VolumePath, _ bytes: [UInt8]) throws(VolumeError) {
    try rewrite(path, bytes, .names)
  }

  private static func rewrite(
    _ path: VolumePath, _ bytes: [UInt8], _ use: VolumePath.FolderUse
  ) throws(VolumeError) {
    var operation = "writing"
    do throws(Errno) {
      try path.inFolder(use) { (folder, name) throws(Errno) in
        let (file, draft) = try createDraft(of: name, in: folder)
        defer { try? file.close() }
        do throws(Errno) {
          try file.store(bytes)
          try sync(file)
          operation = "replacing"
          if renameat(folder.rawValue, draft, folder.rawValue, name) != 0 {
            let cause = Errno(rawValue: Glibc.errno)
            // A server that carried it out may say so when it is asked again (nfs(5)).
            guard cause.saysGone, isNamed(file, name, in: folder) else { throw cause }
          }
        } catch {
          unlinkat(folder.rawValue, draft, 0)
          throw error
        }
        if use == .sync { try sync(folder) }
      }
    } catch {
      throw VolumeError(operation, path, error)
    }
  }

  /// Whether `path` is a name of the open file.
  package static func isNamed(_ file: FileDescriptor, _ path: VolumePath) -> Bool {
    (try? path.inFolder { isNamed(file, $1, in: $0) }) ?? false
  }

  private static func isNamed(_ file: FileDescriptor, _ name: String, in folder: FileDescriptor) -> Bool {
    var (own, named) = (stat(), stat())
    return fstat(file.rawValue, &own) == 0
      && fstatat(folder.rawValue, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && own.st_ino == named.st_ino
      && own.st_dev == named.st_dev
  }

  /// Where the next content of `path` is written. One writer a file, and one name: what a killed one left is put away by the
  /// next.
  package static func draft(of path: VolumePath) -> VolumePath { path.folder.appending(draft(of: path.name)) }

  private static func draft(of name: String) -> String { ".\(name).new" }

  /// A new file for the next content of `name`. What bears its name is removed first; a folder is left alone, and another name
  /// taken.
  private static func createDraft(
    of name: String, in folder: FileDescriptor
  ) throws(Errno) -> (file: FileDescriptor, name: String) {
    var draft = draft(of: name)
    while true {
      if let file = try createNew(draft, O_WRONLY, in: folder) { return (file, draft) }
      if unlinkat(folder.rawValue, draft, 0) != 0, Glibc.errno != ENOENT {
        draft = self.draft(of: "\(name).\(String(UInt64.random(in: 0 ... .max), radix: 36))")
      }
    }
  }

  /// Files of workers are smaller.
  package static let largest = 1 << 24

  /// The content of a regular file of at most `limit` bytes; never follows a link and never waits on a FIFO.
  /// `nil` if there is none.
  package static func read(_ path: VolumePath, limit: Int = largest) throws(VolumeError) -> [UInt8]? {
    // A file that was replaced on the server while it was opened here is stale once (nfs(5)).
    for _ in 0..<2 {
      do throws(Errno) {
        let file = try path.openFile(O_RDONLY)
        defer { try? file.close() }
        return try contents(of: file, limit: limit)
      } catch {
        guard error.saysGone else { throw VolumeError("reading", path, error) }
        if error == .noSuchFileOrDirectory { return nil }
      }
    }
    return nil
  }

  /// What an open regular file holds; `EFBIG` over `limit`, `EISDIR` for a folder and `EINVAL` for anything else.
  package static func contents(of file: FileDescriptor, limit: Int) throws(Errno) -> [UInt8] {
    let status = try regularStatus(of: file)
    guard status.st_size <= limit else { throw .fileTooLarge }
    var bytes: [UInt8] = []
    do {
      while bytes.count <= limit {
        let chunk = try [UInt8](unsafeUninitializedCapacity: max(4096, Int(status.st_size) + 1)) { buffer, count in
          count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
        guard !chunk.isEmpty else { return bytes }
        bytes += chunk
      }
    } catch {
      throw Errno(error)
    }
    throw .fileTooLarge
  }

  /// Removes `path`; `false` if there was nothing.
  @discardableResult
  package static func remove(_ path: VolumePath) throws(VolumeError) -> Bool {
    do throws(Errno) {
      try path.inFolder { (folder, name) throws(Errno) in
        guard unlinkat(folder.rawValue, name, 0) == 0 else { throw Errno(rawValue: Glibc.errno) }
      }
      return true
    } catch {
      guard error.saysGone else { throw VolumeError("removing", path, error) }
      return false
    }
  }

  /// Gives a file another name, durably; `false` if there is none by the old one. Of many who do it at once, one does, if each
  /// has a new name of its own.
  package static func move(_ path: VolumePath, to other: VolumePath) throws(VolumeError) -> Bool {
    let before = try? path.status()
    do throws(Errno) {
      try path.inFolder { (from, name) throws(Errno) in
        try other.inFolder(.sync) { (to, newName) throws(Errno) in
          if renameat(from.rawValue, name, to.rawValue, newName) != 0 {
            let cause = Errno(rawValue: Glibc.errno)
            // A server that carried it out may say that there is nothing when it is asked again (nfs(5)).
            guard cause == .noSuchFileOrDirectory, let before, let after = try? other.status(),
              after.st_ino == before.st_ino
            else { throw cause }
          }
          try sync(to)
        }
      }
      return true
    } catch {
      guard error == .noSuchFileOrDirectory, !exists(path) else { throw VolumeError("renaming", path, error) }
      return false
    }
  }

  /// Whether there is anything by that name.
  package static func exists(_ path: VolumePath) -> Bool { (try? path.status()) != nil }

  /// fsync(2); file systems that have none (some FUSE ones) say EINVAL, and there is nothing more to be had there.
  package static func sync(_ file: FileDescriptor) throws(Errno) {
    while fsync(file.rawValue) != 0 {
      let cause = Errno(rawValue: Glibc.errno)
      if cause == .interrupted { continue }
      if cause == .invalidArgument || cause == .notSupported { return }
      throw cause
    }
  }
}

extension DurableFile {
  /// As ``create(_:_:written:)``, and nobody ever finds half of it: `false` if there is one already.
  ///
  /// The file is written under a hidden name and linked to its own (link(2) fails with EEXIST if there is one). A link that a
  /// server carried out may be answered EEXIST when it was sent again (nfs(5)): then the name is this very file's.
  static func createWhole(_ path: VolumePath, _ bytes: [UInt8]) throws(VolumeError) -> Bool {
    let draft = path.folder.appending(".\(path.name).\(String(UInt64.random(in: 0 ... .max), radix: 36))")
    guard let file = try create(draft, bytes) else { return false }
    defer {
      _ = try? remove(draft)
      try? file.close()
    }
    do throws(Errno) {
      try path.inFolder(.sync) { (folder, name) throws(Errno) in
        guard linkat(folder.rawValue, draft.name, folder.rawValue, name, 0) == 0 else {
          throw Errno(rawValue: Glibc.errno)
        }
        try sync(folder)
      }
      return true
    } catch {
      if error == .fileExists { return isNamed(file, path) }
      // A file system without hard links.
      guard let created = try create(path, bytes) else { return isNamed(file, path) }
      try? created.close()
      return true
    }
  }
}
