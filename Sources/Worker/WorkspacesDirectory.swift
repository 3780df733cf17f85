import FileTree
private import Glibc
package import Jobs
package import SystemPackage
package import Volume

/// The folder of workspaces on the local disk: `--workspaces-dir`.
package struct WorkspacesDirectory: Sendable {
  package let path: FilePath

  private var locks: VolumePath { VolumePath(path).appending(WorkspacesDirectory.state) }
  private static let state = ".worker"
  /// A folder for unnamed files.
  var temporary: FilePath { path.appending(WorkspacesDirectory.state) }

  /// The folder for temporary files of the workspace with this lock.
  func scratch(of lock: WorkspaceLock) throws(VolumeError) -> ScratchFolder {
    try ScratchFolder(in: temporary, of: lock)
  }

  /// The file in which a worker notes since when it has seen other workers' claims unchanged.
  package static func watchLog(in path: FilePath, of worker: WorkerID) -> FilePath {
    path.appending(state).appending("\(worker).watched")
  }

  /// Makes the folder if it is missing. Throws when the folder cannot be written, or when its file system has
  /// no locks.
  package init(_ path: FilePath) throws(VolumeError) {
    try DurableFile.makeFolder(path, mode: 0o700)
    guard let resolved = realPath(path) else { throw VolumeError("opening", path, .noSuchFileOrDirectory) }
    self.path = resolved
    try DurableFile.makeFolder(locks, mode: 0o700)
    try onVolume("writing to", path) { () throws(Errno) in try locks.checkWritable() }
    try WorkspaceLock.check(locks)
  }

  /// Makes and removes what each workspace has, a lock file with its mark: a full disk shows only then.
  package func tryOut() throws(VolumeError) {
    let path = lockPath("~trial-\(UInt32.random(in: 0 ... .max))")
    defer { _ = try? DurableFile.remove(path) }
    try WorkspaceLock.acquire(path, .create)?.mark()
  }

  /// Makes an empty workspace for `id` with mode 0700, which no living worker uses. Skips a name if its folder cannot
  /// be removed, or if no worker made that folder.
  package func make(_ id: JobID) throws(VolumeError) -> Workspace {
    var obstacle: VolumeError?
    for name in names(for: id) {
      do throws(VolumeError) {
        if let workspace = try make(name) { return workspace }
      } catch {
        // The error may concern this name only, so try the others.
        if obstacle == nil { obstacle = error }
      }
    }
    throw obstacle ?? VolumeError("finding a free workspace for \(id) in", path, .fileExists)
  }

  /// A frozen worker may still use the first name when its job is taken over on the same host. Leftovers that cannot be
  /// removed may use up all the numbered names.
  private func names(for id: JobID) -> some Sequence<String> {
    let numbered = ["\(id)"] + (2...99).map { "\(id).\($0)" }
    return numbered + (0..<3).map { _ in "\(id).\(UInt32.random(in: 100 ... .max))" }
  }

  /// `nil` when a living worker uses the name, or when a dead worker's workspace there cannot be removed.
  private func make(_ name: String) throws(VolumeError) -> Workspace? {
    let workspace = path.appending(name)
    guard let lock = try WorkspaceLock.acquire(lockPath(name), .create) else { return nil }
    let exists = DurableFile.exists(VolumePath(path).appending(name))
    if exists, try !lock.isMarked {
      try DurableFile.remove(lockPath(name))
      throw VolumeError(
        "using \(workspace), which no worker made, as a workspace: move it away;", workspace, .fileExists)
    }
    if exists {
      // A workspace that could not be removed before delays no job: a worker tries it again at its start only.
      guard try !lock.isLeft, (try? remove(name, lock)) != nil else { return nil }
    } else {
      // A worker that was killed while it purged may have left them.
      guard (try? scratch(of: lock).remove()) != nil else { return nil }
    }
    try lock.mark()
    guard mkdir(workspace.string, 0o700) == 0 else {
      throw VolumeError("creating", workspace, Errno(rawValue: errno))
    }
    do {
      let descriptor = try FileDescriptor.open(workspace, .readOnly, options: [.directory, .noFollow, .closeOnExec])
      return Workspace(workspace, descriptor, self, lock)
    } catch {
      throw VolumeError("opening", workspace, Errno(error))
    }
  }

  /// Removes the workspaces of dead workers on this host, and returns those that cannot be removed.
  ///
  /// Workspaces that an earlier worker could not remove come last, the longest untried first. They get 16 tries and one
  /// second altogether, so that they do not slow down each start. Throws when the lock files cannot be listed.
  @discardableResult
  package func purgeAbandoned() throws(VolumeError) -> [LeftWorkspace] {
    var left: [LeftWorkspace] = []
    var known: [(name: String, lastUse: Int)] = []
    for file in try DurableFile.names(in: locks) where file.hasSuffix(".lock") {
      let name = String(file.dropLast(5))
      tryToPurge(name, &left) { lock in
        guard try lock.isLeft else { return true }
        known.append((name, lock.lastUse))
        return false
      }
    }
    let end = ContinuousClock.now + WorkspacesDirectory.patience
    for (name, _) in known.sorted(by: { $0.lastUse < $1.lastUse }).prefix(WorkspacesDirectory.mostRetried) {
      tryToPurge(name, &left, isCanceled: { ContinuousClock.now >= end }) { _ in ContinuousClock.now < end }
    }
    return left
  }

  private static let patience = Duration.seconds(1)
  private static let mostRetried = 16

  private func tryToPurge(
    _ name: String, _ left: inout [LeftWorkspace], isCanceled: @escaping @Sendable () -> Bool = { false },
    if isDue: (WorkspaceLock) throws -> Bool
  ) {
    do {
      guard let lock = try WorkspaceLock.acquire(lockPath(name), .existing), try isDue(lock) else { return }
      try purge(path.appending(name), lock, isCanceled: isCanceled)
    } catch let leftover as LeftWorkspace {
      left.append(leftover)
    } catch {
      left.append(LeftWorkspace(path: path.appending(name), cause: error))
    }
  }

  /// Removes a workspace and its temporary files, and then its lock file. Throws ``LeftWorkspace``.
  func purge(
    _ workspace: FilePath, _ lock: WorkspaceLock, isCanceled: @escaping @Sendable () -> Bool = { false }
  ) throws {
    guard let name = workspace.lastComponent?.string else { return }
    if try lock.isMarked { try remove(name, lock, isCanceled: isCanceled) }
    try DurableFile.remove(lockPath(name))
  }

  private func remove(
    _ name: String, _ lock: WorkspaceLock, isCanceled: @escaping @Sendable () -> Bool = { false }
  ) throws(LeftWorkspace) {
    do {
      let root = try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
      defer { try? root.close() }
      // One that cannot be removed does not keep the other.
      let scratch = Result { try self.scratch(of: lock).remove(isCanceled: isCanceled) }
      try FileTree.remove(name, in: root, isCanceled: isCanceled)
      try scratch.get()
    } catch {
      lock.noteLeft()
      throw LeftWorkspace(path: path.appending(name), cause: error)
    }
  }

  private func lockPath(_ name: String) -> VolumePath { locks.appending("\(name).lock") }
}

/// A workspace that could not be removed completely. It stays, and delays no job.
package struct LeftWorkspace: Error, CustomStringConvertible {
  /// The workspace.
  package let path: FilePath
  /// Why the removal failed.
  package let cause: any Error

  /// A sentence for a log.
  package var description: String {
    "the workspace \(path) is left behind: \(cause); it is tried again when a worker starts here"
  }
}

/// The workspaces folder cannot be used: the fault of this host, and no job's.
package struct NoWorkspace: Error, CustomStringConvertible {
  /// Why a workspace cannot be made.
  package let cause: any Error
  /// The option or variable that names the folder.
  package let setting: String

  package init(cause: any Error, setting: String = "--workspaces-dir") {
    self.cause = cause
    self.setting = setting
  }

  /// A sentence for people, with what to do.
  package var description: String { "the workspaces folder cannot be used: \(cause); \(setting) names another" }
}
