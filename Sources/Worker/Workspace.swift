package import FileTree
private import Glibc
package import Jobs
import Steps
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
  ) throws(JobFailure) -> Snapshot {
    do {
      return try FileTree.copy(
        folder.descriptor, to: descriptor, excluding: JobsDirectory.reserved, progress: progress,
        isCanceled: isCanceled)
    } catch {
      throw JobFailure(.stage, "staging \(folder.path) to \(path): \(error)")
    }
  }

  /// The digest of what was staged; fails soon once `isCanceled` says so. Throws ``InvalidInput`` for a tree that has none, and
  /// ``JobFailure`` when it cannot be read.
  package func digest(isCanceled: @escaping @Sendable () -> Bool = { false }) throws -> String {
    do {
      return try FileTree.digest(of: descriptor, isCanceled: isCanceled)
    } catch  where error.reason == .lineFeedInName {
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
  ) throws -> Changes {
    var status = stat()
    if fstat(descriptor.rawValue, &status) == 0, status.st_nlink == 0 {
      throw JobFailure(.sync, "\(path) was removed while the job ran; what it made there is lost")
    }
    giveOwnerRights(to: descriptor)
    return try FileTree.changes(in: descriptor, since: snapshot, original: folder.descriptor, isCanceled: isCanceled)
  }

  /// Removes the folder, and then its lock file. Throws ``LeftWorkspace`` when something of it cannot be removed.
  func purge() throws {
    try root.purge(path, lock)
  }
}

extension Workspace {
  /// The plan with the job.json that was staged, if the staged copy is what the request was made for.
  ///
  /// Throws ``InvalidInput`` if it is not. From here on nothing comes from the volume any more, so that no step can differ
  /// from what was signed.
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

/// A flock(2) that the kernel drops when its holder dies, whatever killed it. The file is marked before the first workspace
/// is made beside it: a folder beside an unmarked one is nobody's.
package final class WorkspaceLock: Sendable {
  enum Creation {
    case create, existing
  }

  private static let mark = Array("made\n".utf8)
  private static let leftMark = Array("left\n".utf8)

  private let path: VolumePath
  private let file: FileDescriptor

  private init(_ path: VolumePath, _ file: FileDescriptor) {
    self.path = path
    self.file = file
  }

  deinit {
    try? file.close()
  }

  /// Whether the folder beside it was made by a worker. An error is no answer: that of an unmarked one is never removed.
  var isMarked: Bool {
    get throws(VolumeError) { try size > 0 }
  }

  /// Whether its workspace could not be removed before.
  var isLeft: Bool {
    get throws(VolumeError) { try size > WorkspaceLock.mark.count }
  }

  private var size: Int {
    get throws(VolumeError) {
      do throws(Errno) {
        return try Int(status(of: file).st_size)
      } catch {
        throw VolumeError("looking at", path, error)
      }
    }
  }

  /// When its workspace was last made, or tried to be removed.
  var lastUse: Int {
    (try? status(of: file))?.st_mtim.tv_sec ?? 0
  }

  package func mark() throws(VolumeError) {
    do {
      try file.writeAll(toAbsoluteOffset: 0, WorkspaceLock.mark)
      guard ftruncate(file.rawValue, off_t(WorkspaceLock.mark.count)) == 0 else { throw Errno(rawValue: errno) }
    } catch {
      throw VolumeError("marking the lock of a workspace in", path, Errno(error))
    }
  }

  /// Notes that the workspace cannot be removed, so that nobody waits for it again. A disk that is full makes do without.
  func noteLeft() {
    _ = try? file.writeAll(toAbsoluteOffset: Int64(WorkspaceLock.mark.count), WorkspaceLock.leftMark)
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
    guard let mine = try? status(of: file), let current = try? path.status(), mine.st_ino == current.st_ino else {
      return nil
    }
    return lock
  }
}
