private import CLinux
import FileTree
import Glibc
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

/// The job.json in a folder: the job's own, or the staged copy.
package struct DefinitionFile {
  /// The open folder.
  package let folder: FileDescriptor
  /// Where it lies, for messages to people.
  package let path: FilePath
  package let id: JobID

  package init(folder: FileDescriptor, path: FilePath, id: JobID) {
    self.folder = folder
    self.path = path
    self.id = id
  }

  /// What it says. Throws ``InvalidInput`` when it is missing, not a regular file, not readable, or not valid.
  package func read() throws(InvalidInput) -> DefinitionReading {
    let bytes: [UInt8]
    do {
      let file = try openFile(JobsDirectory.definition, in: folder)
      defer { try? file.close() }
      bytes = try DurableFile.contents(of: file, limit: JobDefinition.largestFile)
    } catch {
      let reason =
        switch error {
        case .noSuchFileOrDirectory: "does not exist; a job needs its steps in it, or in the request"
        case .isDirectory: "is a directory; it must be a file"
        case .invalidArgument: "is a FIFO, socket or device; it must be a regular file"
        case .tooManySymbolicLinkLevels: "is a symbolic link; it must be a regular file"
        case .fileTooLarge: "is larger than 16 MiB"
        case .permissionDenied: "cannot be read: permission denied; make it readable for the worker's user"
        default: "cannot be read: \(error)"
        }
      throw InvalidInput(id: id, description: "\(path.appending(JobsDirectory.definition)) \(reason)", because: error)
    }
    do {
      return DefinitionReading(definition: try JobDefinition(json: bytes), digest: digestText(of: bytes))
    } catch {
      // The sentence begins with the file's name.
      throw InvalidInput(id: id, description: "\(path)/\(error)")
    }
  }
}

/// Opens `name` below `folder` for reading; never follows a link and never waits on a FIFO.
package func openFile(
  _ name: String, _ options: FileDescriptor.OpenOptions = [], in folder: FileDescriptor
) throws(Errno) -> FileDescriptor {
  let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | options.rawValue
  let file = openat(folder.rawValue, name, flags)
  guard file >= 0 else { throw Errno(rawValue: errno) }
  return FileDescriptor(rawValue: file)
}

/// What a request comes to: the steps to run, and what they find in their workspace.
package struct JobPlan: Sendable {
  /// What of the job's folder is staged.
  package enum Staging: Sendable, Equatable {
    /// All of it, as it is.
    case folder
    /// All of it, if the staged copy has this digest; and job.json is read from there.
    case verified(String)
    /// Nothing: the request is signed, and the folder is not.
    case nothing
  }

  package let request: JobRequest
  package let folder: JobFolder
  /// As the folder said it; for ``Staging/verified(_:)`` to be read again from the staged copy.
  package var definition: JobDefinition
  /// The digest of the job.json that ``definition`` comes from, if it comes from one.
  package var definitionDigest: String?

  package let staging: Staging

  package var reading: DefinitionReading { DefinitionReading(definition: definition, digest: definitionDigest) }

  /// The plan for `request`, whose folder is there.
  package init(_ request: JobRequest, _ folder: JobFolder) throws(InvalidInput) {
    self.request = request
    self.folder = folder
    staging = request.source.map { .verified($0) } ?? (request.signature == nil ? .folder : .nothing)
    // What the folder of a signed request says is not signed, if the request does not bear its digest.
    let isFolderHeard = staging != .nothing
    let reading = try request.definition { () throws(InvalidInput) in isFolderHeard ? try folder.readDefinition() : nil }
    (definition, definitionDigest) = (reading.definition, reading.digest)
  }
}
