private import CLinux
package import FileTree
private import Glibc
package import Jobs
private import Synchronization
package import SystemPackage
package import Volume

/// Copies a job's folder to the volume, under its id: complete and durable, or not at all.
///
/// It is copied under a hidden name, which is no job id, so that no worker takes it; then it is renamed to its id,
/// which must be free unless the folder there is to be replaced. `results`, `results.previous` and `.worker` at its top
/// are left out.
package struct JobUpload: Sendable {
  /// What becomes of a folder that has the job's id already.
  package enum Place: Sendable {
    /// It stays, and the upload fails.
    case kept
    /// The copy takes its place, and gets its results. Not while a worker has the job, or a request for it waits on the
    /// volume.
    case replaced
  }

  /// The job.
  package let id: JobID
  private let source: FilePath
  private let directory: JobsDirectory
  /// What of the source is copied.
  package let selection: Selection
  private let place: Place
  private let name = UploadName()
  /// The hidden folder, and the folder that it becomes.
  private var hidden: FilePath { directory.path.appending(name.text) }
  private var target: FilePath { directory.folder(of: id).path }

  /// An upload of what `selection` selects of the folder `source` as the job `id` to `directory`; reads and writes
  /// nothing yet.
  package init(
    _ source: FilePath, as id: JobID, to directory: JobsDirectory, selecting selection: Selection = .all,
    over place: Place = .kept
  ) {
    self.place = place
    self.selection = selection
    self.source = source
    self.id = id
    self.directory = directory
  }

  /// The place of the jobs folder below `source`, which is no part of a job there; empty if it is `source` itself, and
  /// `nil` if it lies elsewhere.
  package static func jobsFolder(_ directory: JobsDirectory, in source: FilePath) -> RelativePath? {
    guard let source = realPath(source), var rest = realPath(directory.path), rest.removePrefix(source) else {
      return nil
    }
    return RelativePath(rest.string)
  }

  /// Whether the source is already the job's folder on the volume.
  package var isInPlace: Bool {
    let (here, there) = (identity(of: source), identity(of: target))
    return here != nil && here == there
  }

  /// What an upload did.
  package struct Outcome: Sendable {
    /// The entries that were left out.
    package let skipped: [SkippedEntry]
    /// Whether there was a folder, which the copy has replaced.
    package let place: Place
  }

  /// Copies the folder. Calls `progress` from any thread, with all that is copied once that is counted. Throws also when
  /// `isCanceled` says so.
  ///
  /// Throws ``JobExists`` if the id is taken, ``JobInUse`` if its folder cannot be replaced now, `FileTreeError` if an
  /// entry cannot be copied, and ``VolumeError``. Then nothing remains on the volume.
  package func run(
    isCanceled: @escaping @Sendable () -> Bool = { false },
    progress: @escaping @Sendable (CopyProgress, TreeSize?) -> Void
  ) async throws -> Outcome {
    let total = Total()
    let counting = Task { [source, selection] in
      // Most copies are done before anybody looks.
      try await Task.sleep(for: .seconds(1))
      try await onThread {
        let folder = try open(source)
        defer { try? folder.close() }
        let files = try FileTree.files(
          in: folder, selecting: selection, excluding: JobsDirectory.reserved, isCanceled: isCanceled)
        let size = TreeSize(files: files.count, bytes: files.reduce(0) { $0 &+ $1.size })
        total.size.withLock { $0 = size }
      }
    }
    defer { counting.cancel() }
    return try await onThread { [self] in
      try finishReplacements()
      // An early check before a long copy; the rename decides.
      let exists = try JobRecords(directory).exists(id)
      if exists, place == .kept { throw JobExists(id: id, path: target) }
      if exists, !(try isAtRest) { throw JobInUse(id: id) }
      try name.removeAbandoned(in: directory.path)
      do {
        let skipped = try copy(isCanceled) { report in progress(report, total.size.withLock { $0 }) }
        if isCanceled() { throw CancellationError() }
        if exists { try exchange() } else { try rename() }
        return Outcome(skipped: skipped, place: exists ? .replaced : .kept)
      } catch {
        try? discard()
        throw error
      }
    }
  }

  /// What is copied in all, once it is counted.
  private final class Total: Sendable {
    let size = Mutex<TreeSize?>(nil)
  }

  /// Removes the incomplete copy.
  package func discard() throws {
    try remove(name.text)
  }

  /// Removes the folder again, unless a worker has the job: then returns `false`. A worker that gets its request later
  /// finds no job.
  package func withdraw() throws -> Bool {
    // The folder of a job that a worker has does not even lose its name for a moment, in which this process may be killed.
    guard try directory.hasNoClaim(of: id) else { return false }
    let jobs = try open(directory.path)
    defer { try? jobs.close() }
    let top = jobs.rawValue
    guard renameat(top, id.text, top, name.text) == 0 else { throw VolumeError("renaming", target) }
    // Its name is gone: a worker that claims it from now on finds no folder. A worker may have claimed it just before.
    guard try directory.hasNoClaim(of: id) else {
      guard linux_rename_new(top, name.text, id.text) == 0 || renameat(top, name.text, top, id.text) == 0 else {
        throw VolumeError("renaming", hidden)
      }
      return false
    }
    try remove(name.text)
    return true
  }

  private func copy(
    _ isCanceled: @escaping @Sendable () -> Bool, _ progress: @escaping @Sendable (CopyProgress) -> Void
  ) throws -> [SkippedEntry] {
    let from = try open(source)
    defer { try? from.close() }
    var status = stat()
    guard fstat(from.rawValue, &status) == 0 else { throw VolumeError("reading", source) }
    let jobs = try open(directory.path)
    defer { try? jobs.close() }
    guard mkdirat(jobs.rawValue, name.text, 0o777) == 0 else { throw VolumeError("creating", hidden) }
    let to = try open(name.text, in: jobs)
    defer { try? to.close() }
    var made = stat()
    guard fstat(to.rawValue, &made) == 0 else { throw VolumeError("looking at", hidden) }
    fchmod(to.rawValue, 0o700)
    let snapshot = try FileTree.copy(
      from, to: to, excluding: JobsDirectory.reserved, selecting: selection, progress: progress, isCanceled: isCanceled)
    // The worker may be another user, and makes results/ there: whoever may read the folder may also write to the copy,
    // as far as the umask lets him. The set-group-ID bit of the jobs folder stays.
    let (readers, mask) = (status.st_mode & 0o444, made.st_mode & 0o777)
    let mode = made.st_mode & 0o2000 | (status.st_mode | readers >> 1) & mask
    // Some file systems have no modes, or let nobody set them.
    fchmod(to.rawValue, mode)
    try FileTree.makeDurable(to)
    return snapshot.skipped
  }

  /// Renames the copy to its id, if the name is free.
  private func rename() throws {
    let jobs = try open(directory.path)
    defer { try? jobs.close() }
    do {
      try renameFolder(name.text, toFree: id.text, in: jobs)
    } catch {
      throw error == .fileExists ? JobExists(id: id, path: target) as any Error : VolumeError("renaming", hidden, error)
    }
    guard fsync(jobs.rawValue) == 0 || errno == EINVAL || errno == ENOTSUP else {
      throw VolumeError("syncing", directory.path)
    }
  }

  private var isAtRest: Bool {
    get throws { try !directory.jobsNotAtRest(at: directory.time()).contains(id) }
  }

  /// Gives the copy the id and the results of the folder that has the id, and removes that one. Holds the right to
  /// remove the job meanwhile, so that no worker takes it.
  private func exchange() throws {
    guard let right = try JobRemoval.begin(id, in: directory, at: directory.time()) else {
      throw JobInUse(id: id)
    }
    defer { try? right.end() }
    guard try right.replaceFolder(by: name.text) else { throw JobInUse(id: id) }
  }

  /// Brings in order what a killed replacement of this job has left. What this user may not move stays.
  private func finishReplacements() throws {
    for folder in try HiddenFolder.left(in: directory) where folder.id == id && folder.isOfReplacement {
      _ = try? folder.finishReplacement(at: directory.time())
    }
  }

  private func remove(_ name: String) throws {
    let folder = try open(directory.path)
    defer { try? folder.close() }
    try FileTree.remove(name, in: folder)
  }

  private func open(_ path: FilePath) throws(VolumeError) -> FileDescriptor {
    do {
      return try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
    } catch {
      throw VolumeError("opening", path, error as? Errno ?? .ioError)
    }
  }

  /// Opens the folder that was just created; follows no link.
  private func open(_ name: String, in folder: FileDescriptor) throws(VolumeError) -> FileDescriptor {
    let file = openat(folder.rawValue, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard file >= 0 else { throw VolumeError("opening", directory.path.appending(name)) }
    return FileDescriptor(rawValue: file)
  }

  private func identity(of path: FilePath) -> FolderIdentity? {
    var status = stat()
    return stat(path.string, &status) == 0 ? FolderIdentity(status) : nil
  }
}

extension VolumeError {
  /// The error of the last system call.
  init(_ operation: String, _ path: FilePath) {
    self.init(operation, path, Errno(rawValue: errno))
  }
}

/// A folder of the job's id exists already.
package struct JobExists: Error, CustomStringConvertible {
  let id: JobID
  let path: FilePath

  /// A sentence for the user.
  package var description: String {
    "\(path) already exists: --replace puts the folder in its place, --id or --new-id gives the job another id, and "
      + "'mqtt-fs-worker retry \(id)' runs what is there again"
  }
}

/// The folder of a job cannot be replaced, because a worker has the job or a request for it waits.
package struct JobInUse: Error, CustomStringConvertible {
  let id: JobID

  /// A sentence for the user.
  package var description: String {
    "a worker has job \(id), or a request or a result of it waits on the volume, so its folder stays: wait for its end, "
      + "cancel it, or give --new-id"
  }
}
