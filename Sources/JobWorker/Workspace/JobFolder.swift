import FileTree
private import Glibc
import SystemPackage

/// A job's folder on the shared volume, held open.
public final class JobFolder: Sendable {
  /// Where it lies, for messages to people; everything is opened below ``descriptor``.
  let path: FilePath
  let descriptor: FileDescriptor
  let id: JobID

  private init(_ id: JobID, _ path: FilePath, _ descriptor: FileDescriptor) {
    self.id = id
    self.path = path
    self.descriptor = descriptor
  }

  deinit {
    try? descriptor.close()
  }

  /// Opens the folder of `id`. It may be a symbolic link, but only to another place in the jobs folder.
  ///
  /// Throws ``InvalidJob`` when there is none or when it leads out. A caller that waits for a network volume to show a
  /// new folder tries again.
  static func open(_ id: JobID, in directory: JobsDirectory) throws(InvalidJob) -> JobFolder {
    try open(directory.folder(of: id), as: id, in: directory)
  }

  /// Opens `path`, in the jobs folder, as the folder of `id`.
  static func open(_ path: FilePath, as id: JobID, in directory: JobsDirectory) throws(InvalidJob) -> JobFolder {
    guard let root = realPath(directory.path), let target = realPath(path) else {
      throw InvalidJob(
        id: id, description: "job-not-found: \(path) does not exist; put the job's folder there before sending its id")
    }
    guard target.starts(with: root), target != root else {
      throw InvalidJob(
        id: id,
        description:
          "\(path) is a symbolic link to \(target), outside of the jobs folder; put the job's files into \(path)")
    }
    do {
      let descriptor = try FileDescriptor.open(
        target, .readOnly, options: [.directory, .noFollow, .closeOnExec])
      return JobFolder(id, path, descriptor)
    } catch {
      throw InvalidJob(id: id, description: "\(path) cannot be opened as a folder: \(error)")
    }
  }

  /// Makes the folder for a request that brings its steps itself; one that is there is taken as it is.
  static func make(_ id: JobID, in directory: JobsDirectory) throws(VolumeError) {
    let path = directory.folder(of: id)
    guard mkdir(path.string, 0o755) == 0 || errno == EEXIST else {
      throw VolumeError("creating", path, Errno(rawValue: errno))
    }
  }

  /// What job.json says. Throws ``InvalidJob`` when it is missing, not a regular file, not readable, or not valid.
  func definition() throws(InvalidJob) -> JobDefinition { try readDefinition().definition }

  /// The same, with the file's digest.
  func readDefinition() throws(InvalidJob) -> DefinitionReading {
    try DefinitionFile(folder: descriptor, path: path, id: id).read()
  }

  /// Whom the files belong to that root makes in it: its owner could not remove them otherwise. `nil` for any other user.
  var ownerToGive: Owner? {
    var status = stat()
    guard geteuid() == 0, fstat(descriptor.rawValue, &status) == 0, status.st_uid != 0 else { return nil }
    return Owner(user: status.st_uid, group: status.st_gid)
  }

  /// Whether the folder that was opened has no name any more.
  var isRemoved: Bool {
    var status = stat()
    guard fstat(descriptor.rawValue, &status) == 0 else { return Errno(rawValue: errno).saysGone }
    return status.st_nlink == 0
  }

  /// What the last run left in results/result.json, or the one before it in results.previous/; `nil` if nothing that can be read.
  func storedResult(in name: String = JobsDirectory.results) -> JobResult? {
    guard let results = try? openFile(name, .directory, in: descriptor) else { return nil }
    defer { try? results.close() }
    guard let file = try? openFile(JobsDirectory.result, in: results) else { return nil }
    defer { try? file.close() }
    guard let bytes = try? DurableFile.contents(of: file, limit: JobResult.largestFile) else { return nil }
    return try? JobResult(json: bytes)
  }

  /// Whether `relative` leads to a folder in it, over no link that leads out.
  func hasFolder(_ relative: String) -> Bool {
    guard let root = realPath(path), let real = realPath(root.pushing(FilePath(relative))) else { return false }
    var status = stat()
    return real.starts(with: root) && stat(real.string, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}

/// The path without links, or `nil` if it leads nowhere.
func realPath(_ path: FilePath) -> FilePath? {
  guard let resolved = realpath(path.string, nil) else { return nil }
  defer { free(resolved) }
  return FilePath(platformString: resolved)
}
