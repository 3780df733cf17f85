private import CLinux
import FileTree
private import Glibc
package import Jobs
package import SystemPackage

/// A job's folder on the shared volume, held open.
package final class JobFolder: Sendable {
  /// Where it lies, for messages to people; everything is opened below ``descriptor``.
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

  /// Opens the folder of `id`. It may be a symbolic link, but only to another place in the jobs folder.
  ///
  /// Throws ``InvalidInput`` when there is none or when it leads out. A caller that waits for a network volume to show a
  /// new folder tries again.
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

  /// Opens the folder `name` in the jobs folder `top`, or what it leads to as a link to `target`: a place in `top`, told from
  /// there or, as a whole path, from `root`. It is opened once, and nothing is looked up before: whatever the link is exchanged
  /// for meanwhile, it leads to no place outside.
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
      guard own.st_ino != above.st_ino || own.st_dev != above.st_dev else { throw .improperLink }
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

  /// Opens the folder that a user named as that of `id`, wherever it lies.
  package static func open(_ path: FilePath, as id: JobID) throws(InvalidInput) -> JobFolder {
    do throws(Errno) {
      return JobFolder(id, path, try VolumePath(path).open(O_RDONLY | O_DIRECTORY))
    } catch {
      throw InvalidInput(id: id, description: "\(path) cannot be opened as a folder: \(error)")
    }
  }

  /// Makes the folder for a request that brings its steps itself; one that is there is taken as it is.
  package static func make(_ id: JobID, in directory: JobsDirectory) throws(VolumeError) {
    try DurableFile.makeFolder(directory.folder(of: id))
  }

  /// What job.json says. Throws ``InvalidInput`` when it is missing, not a regular file, not readable, or not valid.
  package func definition() throws(InvalidInput) -> JobDefinition { try readDefinition().definition }

  /// The same, with the file's digest.
  package func readDefinition() throws(InvalidInput) -> DefinitionReading {
    try DefinitionFile(folder: descriptor, path: path, id: id).read()
  }

  /// Whom the files belong to that root makes in it: its owner could not remove them otherwise. `nil` for any other user.
  var ownerToGive: Owner? {
    var status = stat()
    guard geteuid() == 0, fstat(descriptor.rawValue, &status) == 0, status.st_uid != 0 else { return nil }
    return Owner(user: status.st_uid, group: status.st_gid)
  }

  /// Whether the folder that was opened has no name any more.
  package var isRemoved: Bool {
    var status = stat()
    guard fstat(descriptor.rawValue, &status) == 0 else { return Errno(rawValue: errno).saysGone }
    return status.st_nlink == 0
  }

  /// What the last run left in results/result.json, or the one before it in results.previous/; `nil` if nothing that a worker
  /// wrote. Throws when the volume does not say, which is no answer.
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

  /// Whether `relative` leads to a folder in it, over no link that leads out.
  package func hasFolder(_ relative: String) -> Bool {
    let folder = try? openBeneath(descriptor, relative, linuxPathOnly | O_DIRECTORY, links: .followed)
    try? folder?.close()
    return folder != nil
  }
}

/// The path without links, or `nil` if it leads nowhere.
package func realPath(_ path: FilePath) -> FilePath? {
  guard let resolved = realpath(path.string, nil) else { return nil }
  defer { free(resolved) }
  return FilePath(platformString: resolved)
}
