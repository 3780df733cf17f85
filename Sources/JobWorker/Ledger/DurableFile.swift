private import Glibc
import SystemPackage

/// Small files that must survive a crash of the machine.
enum DurableFile {
  /// What the time of a file says.
  enum Age {
    case new
    /// Touched in 1970: no lease is so long.
    case outdated
  }

  /// Creates `path` exclusively with `bytes` in it; file and folder are on disk when this returns. `nil` if there is
  /// one already. `written` is called when it holds the bytes, and before they are on disk, which may take long.
  static func create(
    _ path: FilePath, _ bytes: [UInt8], written: (FileDescriptor) -> Void = { _ in }
  ) throws(VolumeError) -> FileDescriptor? {
    let file: FileDescriptor
    do {
      file = try FileDescriptor.open(
        path, .readWrite, options: [.exclusiveCreate, .create, .closeOnExec], permissions: .init(rawValue: 0o644))
    } catch Errno.fileExists {
      return nil
    } catch {
      throw VolumeError("creating", path, errno(error))
    }
    do {
      try onVolume("writing", path) { () throws(Errno) in
        try write(bytes, to: file)
        written(file)
        try sync(file)
      }
      try syncFolder(split(path).folder)
      return file
    } catch {
      // A file that is there but not whole would hold the name for ever.
      if isNamed(file, path) { unlink(path.string) }
      try? file.close()
      throw error
    }
  }

  /// Puts `bytes` at `path` by rename; readers see the old or the new content, whole.
  static func replace(_ path: FilePath, _ bytes: [UInt8], _ age: Age = .new) throws(VolumeError) {
    try rewrite(path, bytes, age)
    try syncFolder(split(path).folder)
  }

  /// As ``replace(_:_:)``, when it is the same whether a power failure leaves the old or the new content: one fsync(2) less.
  static func rewrite(_ path: FilePath, _ bytes: [UInt8], _ age: Age = .new) throws(VolumeError) {
    let temporary = draft(of: path)
    var written: FileDescriptor?
    defer { try? written?.close() }
    try onVolume("writing", temporary) { () throws(Errno) in
      let file: FileDescriptor
      do {
        file = try FileDescriptor.open(
          temporary, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .init(rawValue: 0o644))
      } catch {
        throw errno(error)
      }
      written = file
      try write(bytes, to: file)
      // A file system that knows no such time makes do without.
      if age == .outdated { _ = futimens(file.rawValue, [timespec(), timespec()]) }
      try sync(file)
    }
    guard rename(temporary.string, path.string) == 0 else {
      let cause = Errno(rawValue: Glibc.errno)
      // A server that carried it out may say so when it is asked again (nfs(5)).
      if cause.saysGone, let written, isNamed(written, path) { return }
      unlink(temporary.string)
      throw VolumeError("renaming", temporary, cause)
    }
  }

  /// Whether `path` is a name of the open file.
  static func isNamed(_ file: FileDescriptor, _ path: FilePath) -> Bool {
    var (own, named) = (stat(), stat())
    return fstat(file.rawValue, &own) == 0 && lstat(path.string, &named) == 0 && own.st_ino == named.st_ino
      && own.st_dev == named.st_dev
  }

  /// What a disk writes at once, whatever happens.
  static let sector = 512

  /// Writes `bytes` over a ``sector`` that is the whole content of `path`, and waits for nothing: for what may be the old or the
  /// new after a power failure, but never neither. `false` if there is no such file.
  ///
  /// Who reads at this moment may see the new time with the old content, or some of both.
  static func overwrite(_ path: FilePath, _ bytes: [UInt8]) throws(VolumeError) -> Bool {
    guard bytes.count == sector else { return false }
    do {
      let file = try FileDescriptor.open(path, .writeOnly, options: [.noFollow, .nonBlocking, .closeOnExec])
      var status = stat()
      // What a network volume refuses it may say at the end only.
      let isWritten = try file.closeAfter {
        guard fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size == sector else {
          return false
        }
        try file.writeAll(bytes)
        return true
      }
      // Somebody may have removed it meanwhile.
      return isWritten && stat(path.string, &status) == 0
    } catch Errno.noSuchFileOrDirectory, Errno.staleNFSFileHandle {
      return false
    } catch {
      throw VolumeError("writing", path, errno(error))
    }
  }

  /// Where the next content of `path` is written. One writer a file, and one name: what a killed one left is written over by the
  /// next.
  static func draft(of path: FilePath) -> FilePath {
    let (folder, name) = split(path)
    return folder.appending(".\(name).new")
  }

  /// The folder that a file lies in, and its name there. `FilePath` takes apart all of a path for that, by a dozen types that
  /// a worker would use for nothing else.
  static func split(_ path: FilePath) -> (folder: FilePath, name: Substring) {
    let text = path.string
    guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", text[...]) }
    return (FilePath(String(text[...slash])), text[text.index(after: slash)...])
  }

  /// The content of a regular file of at most `limit` bytes; never follows a link and never waits on a FIFO.
  /// `nil` if there is none.
  static func read(_ path: FilePath, limit: Int = 1 << 24) throws(VolumeError) -> [UInt8]? {
    // A file that was replaced on the server while it was opened here is stale once (nfs(5)).
    for isLast in [false, true] {
      do {
        let file = try FileDescriptor.open(path, .readOnly, options: [.noFollow, .nonBlocking, .closeOnExec])
        defer { try? file.close() }
        return try contents(of: file, limit: limit)
      } catch Errno.noSuchFileOrDirectory {
        return nil
      } catch Errno.staleNFSFileHandle where !isLast {
        continue
      } catch Errno.staleNFSFileHandle {
        return nil
      } catch {
        throw VolumeError("reading", path, errno(error))
      }
    }
    return nil
  }

  /// What an open regular file holds; `EFBIG` over `limit`, `EISDIR` for a folder and `EINVAL` for anything else.
  static func contents(of file: FileDescriptor, limit: Int) throws(Errno) -> [UInt8] {
    var status = stat()
    guard fstat(file.rawValue, &status) == 0 else { throw Errno(rawValue: Glibc.errno) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw .isDirectory
    default: throw .invalidArgument
    }
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
      throw errno(error)
    }
    throw .fileTooLarge
  }

  /// Removes `path`; `false` if there was nothing.
  @discardableResult
  static func remove(_ path: FilePath) throws(VolumeError) -> Bool {
    guard unlink(path.string) != 0 else { return true }
    let cause = Errno(rawValue: Glibc.errno)
    guard cause.saysGone else { throw VolumeError("removing", path, cause) }
    return false
  }

  /// Gives a file another name, durably; `false` if there is none by the old one. Of many who do it at once, one does, if each
  /// has a new name of its own.
  static func move(_ path: FilePath, to other: FilePath) throws(VolumeError) -> Bool {
    var (before, after) = (stat(), stat())
    let wasThere = lstat(path.string, &before) == 0
    if rename(path.string, other.string) != 0 {
      let cause = Errno(rawValue: Glibc.errno)
      guard cause == .noSuchFileOrDirectory, !exists(path) else { throw VolumeError("renaming", path, cause) }
      // A server that carried it out may say so when it is asked again (nfs(5)).
      guard wasThere, lstat(other.string, &after) == 0, after.st_ino == before.st_ino else { return false }
    }
    try syncFolder(split(other).folder)
    return true
  }

  /// Whether there is anything by that name.
  static func exists(_ path: FilePath) -> Bool {
    var status = stat()
    return lstat(path.string, &status) == 0
  }

  /// The names in a folder; none if there is no folder.
  static func names(in folder: FilePath) throws(VolumeError) -> [String] {
    try allNames(in: folder).filter { !$0.hasPrefix(".") }
  }

  /// The same, of what others do not see.
  static func hiddenNames(in folder: FilePath) throws(VolumeError) -> [String] {
    try allNames(in: folder).filter { $0.hasPrefix(".") && $0 != "." && $0 != ".." }
  }

  private static func allNames(in folder: FilePath) throws(VolumeError) -> [String] {
    guard let stream = opendir(folder.string) else {
      let cause = Errno(rawValue: Glibc.errno)
      if cause.saysGone { return [] }
      throw VolumeError("listing", folder, cause)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
        String(validating: raw.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let name { names.append(name) }
    }
    return names
  }

  /// Makes `path` and what is missing above it.
  static func makeFolder(_ path: FilePath, mode: UInt32 = 0o755) throws(VolumeError) {
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

  /// Makes what was renamed, created or removed in `folder` durable.
  static func syncFolder(_ folder: FilePath) throws(VolumeError) {
    let path: FilePath = folder.isEmpty ? "." : folder
    try onVolume("syncing", path) { () throws(Errno) in
      do {
        let descriptor = try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
        defer { try? descriptor.close() }
        try sync(descriptor)
      } catch {
        throw errno(error)
      }
    }
  }

  static func write(_ bytes: [UInt8], to file: FileDescriptor) throws(Errno) {
    do {
      _ = try file.writeAll(bytes)
    } catch {
      throw errno(error)
    }
  }

  /// fsync(2); file systems that have none (some FUSE ones) say EINVAL, and there is nothing more to be had there.
  static func sync(_ file: FileDescriptor) throws(Errno) {
    while fsync(file.rawValue) != 0 {
      let cause = Errno(rawValue: Glibc.errno)
      if cause == .interrupted { continue }
      if cause == .invalidArgument || cause == .notSupported { return }
      throw cause
    }
  }
}

/// swift-system throws `Errno` from untyped functions.
func errno(_ error: any Error) -> Errno {
  error as? Errno ?? .ioError
}
