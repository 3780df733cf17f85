private import CLinux
import FileTree
import Glibc
package import Jobs
package import SystemPackage

/// A job's folder on the shared volume, kept open.
package final class JobFolder: Sendable {
  /// The path, for messages; everything is opened below ``descriptor``.
  package let path: FilePath
  package let descriptor: FileDescriptor
  package let id: JobID

  private init(_ id: JobID, _ path: FilePath, _ descriptor: FileDescriptor) {
    self.id = id
    self.path = path
    self.descriptor = descriptor
  }

  deinit {
    try? descriptor.close()
  }

  /// Opens the folder of `id`. It may be a symbolic link, but only to another folder in the jobs folder.
  ///
  /// Throws ``InvalidInput`` if there is none or if it leads out. A network volume may show a new folder late: the
  /// caller then retries.
  package static func open(_ id: JobID, in directory: JobsDirectory) throws(InvalidInput) -> JobFolder {
    let path = directory.folder(of: id).path
    var target: FilePath?
    do throws(Errno) {
      let top = try directory.top.openRoot()
      defer { try? top.close() }
      target = link(id.text, in: top)
      return JobFolder(id, path, try open(id.text, target, O_RDONLY, in: top, directory.path))
    } catch {
      let description =
        switch (error, target) {
        case (.noSuchFileOrDirectory, _):
          "job-not-found: \(path) does not exist; put the job's folder there before sending its id"
        case (.improperLink, let target?):
          "\(path) is a symbolic link to \(target), outside of the jobs folder; put the job's files into \(path)"
        default: "\(path) cannot be opened as a folder: \(error)"
        }
      throw InvalidInput(id: id, description: description, because: error)
    }
  }

  /// Whether `id` has a folder.
  static func isThere(_ id: JobID, in directory: JobsDirectory) -> Bool {
    guard let top = try? directory.top.openRoot() else { return false }
    defer { try? top.close() }
    let folder = try? open(id.text, link(id.text, in: top), linuxPathOnly, in: top, directory.path)
    try? folder?.close()
    return folder != nil
  }

  /// Opens the folder `name` in the jobs folder `top`, or as a link its `target`: a path in `top`, relative to it or
  /// absolute below `root`. A single open without an earlier check: even if the link is exchanged meanwhile, it cannot
  /// lead out.
  private static func open(
    _ name: String, _ target: FilePath?, _ access: Int32, in top: FileDescriptor, _ root: FilePath
  ) throws(Errno) -> FileDescriptor {
    var place = name
    if let target {
      guard let below = target.isRelative ? target : below(root, target) else { throw .improperLink }
      place = below.string
    }
    let folder = try openBeneath(top, place, access | O_DIRECTORY, links: .followed)
    do throws(Errno) {
      let (own, above) = (try status(of: folder), try status(of: top))
      guard !own.isSameFile(as: above) else { throw .improperLink }
      return folder
    } catch {
      try? folder.close()
      throw error
    }
  }

  private static func below(_ root: FilePath, _ target: FilePath) -> FilePath? {
    var rest = target
    guard rest.removePrefix(root) || realPath(root).map({ rest.removePrefix($0) }) == true, !rest.isEmpty else {
      return nil
    }
    return rest
  }

  private static func link(_ name: String, in folder: FileDescriptor) -> FilePath? {
    var target = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    guard readlinkat(folder.rawValue, name, &target, Int(PATH_MAX)) > 0 else { return nil }
    return FilePath(platformString: target)
  }

  /// Opens a folder at any path as that of `id`.
  package static func open(_ path: FilePath, as id: JobID) throws(InvalidInput) -> JobFolder {
    do throws(Errno) {
      return JobFolder(id, path, try VolumePath(path).open(O_RDONLY | O_DIRECTORY))
    } catch {
      throw InvalidInput(id: id, description: "\(path) cannot be opened as a folder: \(error)")
    }
  }

  /// Creates the folder for a request with its own steps; an existing one is used unchanged.
  package static func make(_ id: JobID, in directory: JobsDirectory) throws(VolumeError) {
    try DurableFile.makeFolder(directory.folder(of: id))
  }

  /// Reads job.json. Throws ``InvalidInput`` if it is missing, not a regular file, not readable, or not valid.
  package func definition() throws(InvalidInput) -> JobDefinition { try readDefinition().definition }

  /// The same, with the file's digest.
  package func readDefinition() throws(InvalidInput) -> DefinitionReading {
    try DefinitionFile(folder: descriptor, path: path, id: id).read()
  }

  /// Reads job.json for its author: what is valid in it, and its faults, the first twenty.
  package func examineDefinition() -> (definition: JobDefinition, faults: [InvalidInput]) {
    let file = DefinitionFile(folder: descriptor, path: path, id: id)
    do throws(InvalidInput) {
      let (definition, faults) = JobDefinition.examine(try file.bytes(), mostFaults: 20)
      return (definition, faults.map(file.place))
    } catch {
      return (JobDefinition(steps: []), [error])
    }
  }

  /// Whether it contains an entry with the name of job.json.
  package var hasDefinition: Bool { (try? status(of: JobsDirectory.definition, in: descriptor)) != nil }

  /// The owner for files that root creates in it: otherwise the folder's owner could not remove them. `nil` for any
  /// other user.
  var ownerToGive: Owner? {
    guard geteuid() == 0, let status = try? status(of: descriptor), status.st_uid != 0 else { return nil }
    return Owner(user: status.st_uid, group: status.st_gid)
  }

  /// Whether the opened folder has been removed.
  package var isRemoved: Bool {
    do throws(Errno) {
      return try status(of: descriptor).st_nlink == 0
    } catch {
      return error.saysGone
    }
  }

  /// Whether `directory` has nothing of the job's name any more, though it can be read.
  package func isMovedAway(from directory: JobsDirectory) -> Bool {
    // Without the workers' folder it is another: the volume is unmounted.
    guard (try? directory.claims.status()) != nil, let top = try? directory.top.openRoot() else { return false }
    defer { try? top.close() }
    var status = stat()
    return fstatat(top.rawValue, id.text, &status, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT
  }

  /// Whether the job's name still leads to this folder in `directory`. Ask with the job's claim: then no `prune` moves
  /// it any more.
  package func isInPlace(in directory: JobsDirectory) -> Bool {
    guard let named = try? JobFolder.open(id, in: directory), let there = try? status(of: named.descriptor),
      let here = try? status(of: descriptor)
    else { return false }
    return here.isSameFile(as: there)
  }

  /// The result of the last run in results/result.json, or of the run before in results.previous/; `nil` if no worker
  /// wrote one. Throws if the volume does not answer.
  package func storedResult(in name: String = JobsDirectory.results) throws(VolumeError) -> JobResult? {
    let bytes: [UInt8]
    do throws(Errno) {
      let results = try openFile(name, .directory, in: descriptor)
      defer { try? results.close() }
      let file = try openFile(JobsDirectory.result, in: results)
      defer { try? file.close() }
      bytes = try DurableFile.contents(of: file, limit: JobResult.largestFile)
    } catch {
      guard InvalidInput.isFault(error) else { return nil }
      throw VolumeError("reading the result in", path.appending(name), error)
    }
    return try? JobResult(json: bytes)
  }

  /// Whether `relative` is a folder in it, without a link that leads out.
  package func hasFolder(_ relative: String) -> Bool {
    let folder = try? openBeneath(descriptor, relative, linuxPathOnly | O_DIRECTORY, links: .followed)
    try? folder?.close()
    return folder != nil
  }
}
