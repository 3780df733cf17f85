package import FileTree
private import Glibc
package import Jobs
package import SystemPackage
package import Volume

/// A job's files on the local disk, where its steps run.
///
/// A lock file beside it says that a worker made it, and is locked while that worker lives: what a dead one left is
/// purged by the next on the host, and a folder without a lock file is never touched.
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

  /// A folder on the same disk for files without a name, which no step looks into.
  var temporary: FilePath { root.temporary }

  /// Copies the job's folder, less what is reserved; fails soon once `isCanceled` says so.
  package func stage(
    _ folder: JobFolder, progress: (@Sendable (CopyProgress) -> Void)? = nil,
    isCanceled: @escaping @Sendable () -> Bool = { false }
  ) async throws(JobFailure)
    -> Snapshot
  {
    do {
      return try await onThread {
        try FileTree.copy(
          folder.descriptor, to: self.descriptor, excluding: JobsDirectory.reserved, progress: progress,
          isCanceled: isCanceled)
      }
    } catch {
      throw JobFailure(.stage, "staging \(folder.path) to \(path): \(error)")
    }
  }

  /// The digest of what was staged; fails soon once `isCanceled` says so. Throws ``InvalidInput`` for a tree that has none, and
  /// ``JobFailure`` when it cannot be read.
  package func digest(isCanceled: @escaping @Sendable () -> Bool = { false }) async throws -> String {
    do {
      return try await onThread { try FileTree.digest(of: self.descriptor, isCanceled: isCanceled) }
    } catch let error as FileTreeError where error.reason == .lineFeedInName {
      throw InvalidInput(description: "source-mismatch: \(error)")
    } catch {
      throw JobFailure(.stage, "the digest of \(path): \(error)")
    }
  }

  /// What the staged job.json says.
  package func readDefinition(_ id: JobID) throws(InvalidInput) -> DefinitionReading {
    try DefinitionFile(folder: descriptor, path: path, id: id).read()
  }

  /// What the steps changed since `snapshot`. Throws ``JobFailure`` when they have removed the workspace, and ECANCELED soon
  /// once `isCanceled` says so.
  package func changes(
    since snapshot: Snapshot, _ folder: JobFolder, isCanceled: @escaping @Sendable () -> Bool = { false }
  ) async throws -> Changes {
    var status = stat()
    if fstat(descriptor.rawValue, &status) == 0, status.st_nlink == 0 {
      throw JobFailure(.sync, "\(path) was removed while the job ran; what it made there is lost")
    }
    giveOwnerRights(to: descriptor)
    return try await onThread {
      try FileTree.changes(in: self.descriptor, since: snapshot, original: folder.descriptor, isCanceled: isCanceled)
    }
  }

  /// Removes the folder, and then its lock file. Throws ``LeftWorkspace`` when something of it cannot be removed.
  func purge() async throws {
    try await onThread { try self.root.purge(self.path, self.lock) }
  }
}

extension Workspace {
  /// The plan with the job.json that was staged, if the staged copy is what the request was made for.
  ///
  /// Throws ``InvalidInput`` if it is not. From here on nothing comes from the volume any more, so that no step can differ
  /// from what was signed.
  package func check(_ plan: JobPlan, isCanceled: @escaping @Sendable () -> Bool = { false }) async throws -> JobPlan {
    guard case .verified(let wanted) = plan.staging else { return plan }
    let found = try await digest(isCanceled: isCanceled)
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
