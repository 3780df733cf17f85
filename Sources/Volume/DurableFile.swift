private import Glibc
import Jobs
package import SystemPackage

/// Small files that survive a crash of the machine.
package enum DurableFile {
  /// Creates `path` exclusively with `bytes`; file and folder are on disk when this returns. `nil` if there is an entry
  /// already. Calls `written` when the file holds the bytes, before the sync, which may take long.
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
          // An incomplete file would keep the name for ever.
          if isNamed(file, name, in: folder) { unlinkat(folder.rawValue, name, 0) }
          try? file.close()
          throw error
        }
      }
    } catch {
      throw VolumeError(operation, path, error)
    }
  }

  /// `nil` if the name is taken.
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

  /// Replaces `path` by rename: readers see all of the old or all of the new content. Its mode is the umask's, or `mode`.
  static func replace(_ path: VolumePath, _ bytes: [UInt8], mode: UInt32? = nil) throws(VolumeError) {
    try rewrite(path, bytes, .sync, mode: mode)
  }

  /// As ``replace(_:_:)``, but after a power failure the file holds either the old or the new content: one fsync(2)
  /// less.
  static func rewrite(_ path: VolumePath, _ bytes: [UInt8]) throws(VolumeError) {
    try rewrite(path, bytes, .names)
  }

  private static func rewrite(
    _ path: VolumePath, _ bytes: [UInt8], _ use: VolumePath.FolderUse, mode: UInt32? = nil
  ) throws(VolumeError) {
    var operation = "writing"
    do throws(Errno) {
      try path.inFolder(use) { (folder, name) throws(Errno) in
        let (file, draft) = try createDraft(of: name, in: folder)
        defer { try? file.close() }
        do throws(Errno) {
          if let mode { fchmod(file.rawValue, mode) }
          try file.store(bytes)
          try sync(file)
          operation = "replacing"
          if renameat(folder.rawValue, draft, folder.rawValue, name) != 0 {
            let cause = Errno(rawValue: Glibc.errno)
            // An NFS server may answer so when it gets the request again after carrying it out (nfs(5)).
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

  /// Whether `path` names the open file.
  package static func isNamed(_ file: FileDescriptor, _ path: VolumePath) -> Bool {
    (try? path.inFolder { isNamed(file, $1, in: $0) }) ?? false
  }

  package static func isNamed(_ file: FileDescriptor, _ name: String, in folder: FileDescriptor) -> Bool {
    guard let own = try? status(of: file), let named = try? status(of: name, in: folder) else { return false }
    return own.isSameFile(as: named)
  }

  /// The file for the next content of `path`. Each file has one writer, so one name is enough: the next writer removes
  /// the draft of a killed one.
  package static func draft(of path: VolumePath) -> VolumePath { path.folder.appending(draft(of: path.name)) }

  private static func draft(of name: String) -> String { ".\(name).new" }

  /// Creates a new file for the next content of `name`. An entry of that name is removed first; for a folder another
  /// name is chosen.
  private static func createDraft(
    of name: String, in folder: FileDescriptor
  ) throws(Errno) -> (file: FileDescriptor, name: String) {
    var draft = draft(of: name)
    while true {
      if let file = try createNew(draft, O_WRONLY, in: folder) { return (file, draft) }
      if unlinkat(folder.rawValue, draft, 0) != 0, Glibc.errno != ENOENT {
        draft = self.draft(of: "\(name).\(nonce)")
      }
    }
  }

  /// A part of a name that no other file has.
  static var nonce: String { String(UInt64.random(in: 0 ... .max), radix: 36) }

  /// A line of JSON for the file at `path`.
  package static func line(_ value: some Encodable, for path: VolumePath) throws(VolumeError) -> [UInt8] {
    guard let text = try? compactJSON(value) else { throw VolumeError("encoding", path, .invalidArgument) }
    return text + [UInt8(ascii: "\n")]
  }

  /// The limit for reading; files of workers are smaller.
  package static let largest = 1 << 24

  /// The content of a regular file of at most `limit` bytes; `nil` if there is none. Follows no link, and never blocks
  /// on a FIFO.
  package static func read(_ path: VolumePath, limit: Int = largest) throws(VolumeError) -> [UInt8]? {
    // ESTALE: the server replaced the file during the open (nfs(5)). Try once more.
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

  /// The content of an open regular file. Throws `EFBIG` over `limit`, `EISDIR` for a folder and `EINVAL` for anything
  /// else.
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

  /// Removes `path`; `false` if it does not exist.
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

  /// Renames a file durably; `false` if it does not exist. Of several processes with different new names only one
  /// succeeds.
  package static func move(_ path: VolumePath, to other: VolumePath) throws(VolumeError) -> Bool {
    let before = try? path.status()
    do throws(Errno) {
      try path.inFolder { (from, name) throws(Errno) in
        try other.inFolder(.sync) { (to, newName) throws(Errno) in
          if renameat(from.rawValue, name, to.rawValue, newName) != 0 {
            let cause = Errno(rawValue: Glibc.errno)
            // An NFS server may answer ENOENT when it gets the request again after carrying it out (nfs(5)).
            guard cause == .noSuchFileOrDirectory, let before, let after = try? other.status(),
              after.st_ino == before.st_ino
            else { throw cause }
          }
          try sync(to)
        }
      }
      return true
    } catch {
      guard error.saysGone, !exists(path) else { throw VolumeError("renaming", path, error) }
      return false
    }
  }

  /// Whether an entry of that name exists.
  package static func exists(_ path: VolumePath) -> Bool { (try? path.status()) != nil }

  /// Whether there is certainly no entry of that name. Throws if the volume does not answer.
  static func isMissing(_ path: VolumePath) throws(VolumeError) -> Bool {
    do throws(Errno) {
      _ = try path.status()
      return false
    } catch {
      guard error.saysGone else { throw VolumeError("looking at", path, error) }
      return true
    }
  }

  /// fsync(2). File systems without it (some FUSE ones) answer EINVAL, which is no error here.
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
  /// As ``create(_:_:written:)``, but the file appears only when it is complete; `false` if there is one already.
  ///
  /// The file is written under a hidden name, then linked to its own (link(2) fails with EEXIST if there is one). An
  /// NFS server may answer EEXIST when it gets the request again after carrying it out (nfs(5)): then the name is this
  /// file's.
  static func createWhole(_ path: VolumePath, _ bytes: [UInt8]) throws(VolumeError) -> Bool {
    let draft = path.folder.appending(".\(path.name).\(nonce)")
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
