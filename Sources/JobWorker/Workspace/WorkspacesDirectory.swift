import FileTree
private import Glibc
public import SystemPackage

/// Where workspaces lie on the local disk: `--workspaces-dir`.
public struct WorkspacesDirectory: Sendable {
  let path: FilePath

  private var locks: VolumePath { VolumePath(path).appending(".worker") }

  /// Makes the folder if it is missing. Throws when it cannot be written.
  public init(_ path: FilePath) throws(VolumeError) {
    try DurableFile.makeFolder(path, mode: 0o700)
    guard let resolved = realPath(path) else { throw VolumeError("opening", path, .noSuchFileOrDirectory) }
    self.path = resolved
    try DurableFile.makeFolder(locks, mode: 0o700)
    try onVolume("writing to", path) { () throws(Errno) in try locks.checkWritable() }
  }

  /// Makes an empty workspace for `id`, mode 0700, that no living worker uses.
  func make(_ id: JobID) throws(VolumeError) -> Workspace {
    // A frozen worker may still sit in the first name when its job is taken over on the same host.
    for name in [id.text] + (2...99).map({ "\(id).\($0)" }) {
      let workspace = path.appending(name)
      guard let lock = try WorkspaceLock.acquire(lockPath(name), .create) else { continue }
      if !lock.isMarked, access(workspace.string, F_OK) == 0 {
        try DurableFile.remove(lockPath(name))
        throw VolumeError(
          "using \(workspace), which no worker made, as a workspace: move it away;", workspace, .fileExists)
      }
      try lock.mark()
      try removeTree(name)
      guard mkdir(workspace.string, 0o700) == 0 else {
        throw VolumeError("creating", workspace, Errno(rawValue: errno))
      }
      do {
        let descriptor = try FileDescriptor.open(workspace, .readOnly, options: [.directory, .noFollow, .closeOnExec])
        return Workspace(workspace, descriptor, self, lock)
      } catch {
        throw VolumeError("opening", workspace, JobWorker.errno(error))
      }
    }
    throw VolumeError("finding a free workspace for \(id) in", path, .fileExists)
  }

  /// Removes what workers that died on this host left behind.
  public func purgeAbandoned() throws(VolumeError) {
    for name in try DurableFile.names(in: locks) where name.hasSuffix(".lock") {
      guard let lock = try WorkspaceLock.acquire(locks.appending(name), .existing) else { continue }
      try purge(path.appending(String(name.dropLast(5))), lock)
    }
  }

  func purge(_ workspace: FilePath, _ lock: WorkspaceLock) throws(VolumeError) {
    guard let name = workspace.lastComponent?.string else { return }
    if lock.isMarked { try removeTree(name) }
    try DurableFile.remove(lockPath(name))
  }

  private func removeTree(_ name: String) throws(VolumeError) {
    do {
      let root = try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
      defer { try? root.close() }
      try FileTree.remove(name, in: root)
    } catch {
      throw VolumeError("purging", path.appending(name), (error as? FileTreeError)?.errno ?? JobWorker.errno(error))
    }
  }

  private func lockPath(_ name: String) -> VolumePath { locks.appending("\(name).lock") }
}

/// A flock(2) that the kernel drops when its holder dies, whatever killed it. The file is marked before the first workspace
/// is made beside it: a folder beside an unmarked one is nobody's.
final class WorkspaceLock: Sendable {
  enum Creation {
    case create, existing
  }

  private let path: VolumePath
  private let file: FileDescriptor

  private init(_ path: VolumePath, _ file: FileDescriptor) {
    self.path = path
    self.file = file
  }

  deinit {
    try? file.close()
  }

  var isMarked: Bool {
    var status = stat()
    return fstat(file.rawValue, &status) == 0 && status.st_size > 0
  }

  func mark() throws(VolumeError) {
    do {
      try file.writeAll(toAbsoluteOffset: 0, Array("made\n".utf8))
    } catch {
      throw VolumeError("marking the lock of a workspace in", path, JobWorker.errno(error))
    }
  }

  /// `nil` when a living process holds it, or when it is not there and is not to be made.
  static func acquire(_ path: VolumePath, _ creation: Creation) throws(VolumeError) -> WorkspaceLock? {
    let file: FileDescriptor
    do throws(Errno) {
      file = try path.openFile(creation == .create ? O_RDWR | O_CREAT : O_RDWR, mode: 0o600)
    } catch {
      guard error == .noSuchFileOrDirectory else { throw VolumeError("opening", path, error) }
      return nil
    }
    let lock = WorkspaceLock(path, file)
    guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else { return nil }
    // Whoever held it before may have removed the file between our open and our lock.
    var mine = stat()
    guard fstat(file.rawValue, &mine) == 0, let current = try? path.status(), mine.st_ino == current.st_ino else {
      return nil
    }
    return lock
  }
}
