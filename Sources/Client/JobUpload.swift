private import CLinux
package import FileTree
private import Glibc
package import Jobs
package import SystemPackage
package import Volume

/// Puts a job's folder on the volume, under its id: whole and durable, or not at all.
///
/// It is copied under a hidden name, which is no job id, so that no worker can be sent there; then it gets its own name,
/// which nobody else may have. `results`, `results.previous` and `.worker` at its top are left out.
package struct JobUpload: Sendable {
  /// The job.
  package let id: JobID
  private let source: FilePath
  private let directory: JobsDirectory
  private let name = UploadName()

  /// The folder `source` as the job `id` on `directory`; nothing is looked up or made yet.
  package init(_ source: FilePath, as id: JobID, to directory: JobsDirectory) {
    self.source = source
    self.id = id
    self.directory = directory
  }

  /// Whether the folder lies there already.
  package var isInPlace: Bool {
    guard let here = identity(of: source), let there = identity(of: directory.folder(of: id).path) else { return false }
    return here == there
  }

  /// Copies the folder, and returns what was left out. `progress` is called from any thread.
  ///
  /// Throws ``JobExists`` when the id is taken, `FileTreeError` when something cannot be copied, and ``VolumeError``.
  /// Nothing is left on the volume then.
  package func run(progress: @escaping @Sendable (CopyProgress) -> Void) async throws -> [SkippedEntry] {
    try await onThread { [self] in
      // Before a long copy; the rename decides.
      guard !JobRecords(directory).exists(id) else { throw JobExists(id: id, path: directory.folder(of: id).path) }
      try name.removeAbandoned(in: directory.path)
      do {
        let skipped = try copy(progress)
        try rename()
        return skipped
      } catch {
        try? discard()
        throw error
      }
    }
  }

  /// Removes what has been copied so far under the hidden name.
  package func discard() throws {
    try remove(name.text)
  }

  /// Takes the folder away again, unless a worker has the job: `false` then. A worker that is sent there finds no job.
  package func withdraw() throws -> Bool {
    let (hidden, place) = (directory.path.appending(name.text), directory.folder(of: id).path)
    let jobs = try open(directory.path)
    defer { try? jobs.close() }
    let top = jobs.rawValue
    guard renameat(top, id.text, top, name.text) == 0 else {
      throw VolumeError("renaming", place, Errno(rawValue: errno))
    }
    // Its name is gone: a worker that claims it from now on finds nothing. One that did before has it.
    guard try JobRecords(directory).claims(of: id).isEmpty else {
      guard linux_rename_new(top, name.text, id.text) == 0 || renameat(top, name.text, top, id.text) == 0 else {
        throw VolumeError("renaming", hidden, Errno(rawValue: errno))
      }
      return false
    }
    try remove(name.text)
    return true
  }

  private func copy(_ progress: @escaping @Sendable (CopyProgress) -> Void) throws -> [SkippedEntry] {
    let hidden = directory.path.appending(name.text)
    let from = try open(source)
    defer { try? from.close() }
    var status = stat()
    guard fstat(from.rawValue, &status) == 0 else { throw VolumeError("reading", source, Errno(rawValue: errno)) }
    let jobs = try open(directory.path)
    defer { try? jobs.close() }
    guard mkdirat(jobs.rawValue, name.text, 0o700) == 0 else {
      throw VolumeError("creating", hidden, Errno(rawValue: errno))
    }
    let to = try open(name.text, in: jobs)
    defer { try? to.close() }
    let snapshot = try FileTree.copy(from, to: to, excluding: JobsDirectory.reserved, progress: progress)
    // The worker may be another user: what the owner lets others do with the folder, they may do with the copy.
    guard fchmod(to.rawValue, status.st_mode & 0o777) == 0 else {
      throw VolumeError("setting the mode of", hidden, Errno(rawValue: errno))
    }
    try FileTree.makeDurable(to)
    return snapshot.skipped
  }

  /// Gives the copy its name, unless there is something of that name.
  private func rename() throws {
    let (hidden, place) = (directory.path.appending(name.text), directory.folder(of: id).path)
    let jobs = try open(directory.path)
    defer { try? jobs.close() }
    let top = jobs.rawValue
    if linux_rename_new(top, name.text, id.text) != 0 {
      guard errno != EEXIST else { throw JobExists(id: id, path: place) }
      // NFS and old kernels cannot. Whoever makes the empty folder has the name, and rename(2) replaces that folder.
      guard [EINVAL, ENOSYS, ENOTSUP].contains(errno) else {
        throw VolumeError("renaming", hidden, Errno(rawValue: errno))
      }
      guard mkdirat(top, id.text, 0o700) == 0 else {
        throw errno == EEXIST
          ? JobExists(id: id, path: place) as any Error : VolumeError("creating", place, Errno(rawValue: errno))
      }
      guard renameat(top, name.text, top, id.text) == 0 else {
        let cause = Errno(rawValue: errno)
        unlinkat(top, id.text, AT_REMOVEDIR)
        throw VolumeError("renaming", hidden, cause)
      }
    }
    guard fsync(top) == 0 || errno == EINVAL || errno == ENOTSUP else {
      throw VolumeError("syncing", directory.path, Errno(rawValue: errno))
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

  /// The folder that was just made; never what a link leads to.
  private func open(_ name: String, in folder: FileDescriptor) throws(VolumeError) -> FileDescriptor {
    let file = openat(folder.rawValue, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard file >= 0 else { throw VolumeError("opening", directory.path.appending(name), Errno(rawValue: errno)) }
    return FileDescriptor(rawValue: file)
  }

  private func identity(of path: FilePath) -> [UInt64]? {
    var status = stat()
    return stat(path.string, &status) == 0 ? [UInt64(status.st_dev), UInt64(status.st_ino)] : nil
  }
}

/// The id of a job is taken.
package struct JobExists: Error, CustomStringConvertible {
  /// The id.
  package let id: JobID
  /// What is there.
  package let path: FilePath

  /// A sentence for the user.
  package var description: String {
    "\(path) exists already: give the job another --id, or submit that folder itself to run it again"
  }
}

/// The hidden name of a folder that is being copied: it tells which process does it, so that what a killed one left can be
/// removed by the next on that host.
struct UploadName: Sendable {
  package let text: String
  private static let prefix = ".submit-"

  /// A name that no other process and no other upload of this one has.
  init() {
    let random = UInt32.random(in: 0 ... .max)
    text = "\(UploadName.own)\(getpid())-\(random)"
  }

  /// What the names of all processes that this one can see have in common: pids mean something in a PID namespace only.
  private static let own: String = {
    let namespace = ProcessIdentity.current.pidNamespace.filter(\.isNumber)
    return "\(prefix)\(hostName().filter { $0 != "/" })-\(namespace)-"
  }()

  /// Removes what processes of this host left that are gone.
  func removeAbandoned(in folder: FilePath) throws {
    guard let folder = try? FileDescriptor.open(folder, .readOnly, options: [.directory, .closeOnExec]) else { return }
    defer { try? folder.close() }
    _ = try? firstName(in: folder) { name in
      if let pid = pid(in: name), kill(pid, 0) != 0, errno == ESRCH { try? FileTree.remove(name, in: folder) }
      return false
    }
  }

  private func pid(in name: String) -> pid_t? {
    guard name.hasPrefix(UploadName.own) else { return nil }
    let parts = name.dropFirst(UploadName.own.count).split(separator: "-")
    return parts.count == 2 ? pid_t(parts[0]) : nil
  }
}
