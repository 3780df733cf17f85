package import FileTree
private import Glibc
package import Jobs
package import SystemPackage
package import Volume

/// The copy of a job's files on the local disk, where its steps run.
///
/// A lock file beside the workspace shows that a worker made it. The worker locks that file as long as it lives. The
/// next worker on the host purges the workspaces of dead workers, and never touches a folder without a lock file.
package final class Workspace: Sendable {
  package let path: FilePath
  package let descriptor: FileDescriptor
  private let root: WorkspacesDirectory
  private let lock: WorkspaceLock

  package init(_ path: FilePath, _ descriptor: FileDescriptor, _ root: WorkspacesDirectory, _ lock: WorkspaceLock) {
    self.path = path
    self.descriptor = descriptor
    self.root = root
    self.lock = lock
  }

  deinit {
    try? descriptor.close()
  }

  /// A folder on the same disk for unnamed files, away from the steps' files.
  var temporary: FilePath { root.temporary }

  /// The job's folder for temporary files.
  var scratch: ScratchFolder { get throws(VolumeError) { try root.scratch(of: lock) } }

  /// Copies what `selection` selects of the job's folder into the workspace, without the reserved names. Throws soon
  /// after `isCanceled` returns true.
  package func stage(
    _ folder: JobFolder, selecting selection: Selection = .all, progress: (@Sendable (CopyProgress) -> Void)? = nil,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) throws(JobFailure) -> Snapshot {
    do {
      return try FileTree.copy(
        folder.descriptor, to: descriptor, excluding: JobsDirectory.reserved, selecting: selection,
        progress: progress, isCanceled: isCanceled)
    } catch {
      throw JobFailure(.stage, "staging \(folder.path) to \(path): \(error)", cause: error.errno)
    }
  }

  /// The digest of the staged files. Throws ``InvalidInput`` for a tree that has no digest, and ``JobFailure`` when the
  /// tree cannot be read or soon after `isCanceled` returns true.
  package func digest(isCanceled: @escaping @Sendable () -> Bool = { false }) throws -> String {
    do {
      return try FileTree.digest(of: descriptor, isCanceled: isCanceled)
    } catch  where error.reason == .lineFeedInName {
      throw InvalidInput(description: "source-mismatch: \(error)")
    } catch {
      throw JobFailure(.stage, "the digest of \(path): \(error)")
    }
  }

  /// Reads the staged job.json.
  package func readDefinition(_ id: JobID) throws(InvalidInput) -> DefinitionReading {
    try DefinitionFile(folder: descriptor, path: path, id: id).read()
  }

  /// The steps' changes since `snapshot` among what `selection` selects. Throws ``JobFailure`` when the steps removed or
  /// replaced the workspace, and ECANCELED soon after `isCanceled` returns true.
  package func changes(
    since snapshot: Snapshot, _ folder: JobFolder, selecting selection: Selection = .all,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) throws -> Changes {
    var status = stat()
    if fstat(descriptor.rawValue, &status) == 0, status.st_nlink == 0 {
      throw JobFailure(.sync, "\(path) was removed while the job ran; what it made there is lost")
    }
    // A folder that is mounted over it does not count: the workspace is below.
    guard lstat(path.string, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw JobFailure(.sync, "\(path) was moved or replaced while the job ran; what its steps made there is left out")
    }
    giveOwnerRights(to: descriptor)
    return try FileTree.changes(
      in: descriptor, since: snapshot, original: folder.descriptor, selecting: selection, isCanceled: isCanceled)
  }

  /// The first of these that no file or symlink of it matches.
  func missing(_ artifacts: [RequiredArtifact], isCanceled: () -> Bool) throws(FileTreeError) -> RequiredArtifact? {
    try FileTree.unmatched(artifacts.map(\.pattern), in: descriptor, isCanceled: isCanceled).first.map { artifacts[$0] }
  }

  /// Removes the workspace and the temporary files, and then the lock file. Throws ``LeftWorkspace`` when part of them
  /// cannot be removed.
  func purge() throws {
    try root.purge(path, lock)
  }
}

extension Workspace {
  /// The plan with the staged job.json, if the staged files have the digest that the request names.
  ///
  /// Throws ``InvalidInput`` if they have another. After this check the job reads nothing more of its definition from
  /// the volume, so no step can differ from what was signed.
  package func check(_ plan: JobPlan, isCanceled: @escaping @Sendable () -> Bool = { false }) throws -> JobPlan {
    guard case .verified(let wanted) = plan.staging else { return plan }
    let found = try digest(isCanceled: isCanceled)
    let (request, folder) = (plan.request, plan.folder)
    guard found == wanted else {
      throw InvalidInput(
        id: request.id,
        description:
          "source-mismatch: the staged copy of \(folder.path) is \(found), and the request is for \(wanted); "
          + "the folder was changed after the request was made")
    }
    var plan = plan
    let reading = try request.definition { () throws(InvalidInput) in try readDefinition(request.id) }
    (plan.definition, plan.definitionDigest) = (reading.definition, reading.digest)
    return plan
  }
}

extension FileDescriptor {
  /// Locks the open file with flock(2), without waiting; `false` if another process holds a lock that excludes this one.
  /// Throws `ENOSYS`, `EOPNOTSUPP` or `ENOLCK` on a file system without locks.
  func lock(_ operation: Int32) throws(Errno) -> Bool {
    if flock(rawValue, operation | LOCK_NB) == 0 { return true }
    guard errno == EWOULDBLOCK else { throw Errno(rawValue: errno) }
    return false
  }
}
