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

/// The job.json in a job's folder or in its staged copy.
package struct DefinitionFile {
  /// The open folder.
  package let folder: FileDescriptor
  /// The path, for messages.
  package let path: FilePath
  package let id: JobID

  package init(folder: FileDescriptor, path: FilePath, id: JobID) {
    self.folder = folder
    self.path = path
    self.id = id
  }

  /// Reads the definition. Throws ``InvalidInput`` if job.json is missing, not a regular file, not readable, or not
  /// valid.
  package func read() throws(InvalidInput) -> DefinitionReading {
    let bytes = try bytes()
    do {
      return DefinitionReading(definition: try JobDefinition(json: bytes), digest: digestText(of: bytes))
    } catch {
      throw place(error)
    }
  }

  /// The fault with the folder's path: its sentence begins with the file's name.
  func place(_ fault: InvalidInput) -> InvalidInput {
    InvalidInput(id: id, description: "\(path)/\(fault)")
  }

  func bytes() throws(InvalidInput) -> [UInt8] {
    do {
      let file = try openFile(JobsDirectory.definition, in: folder)
      defer { try? file.close() }
      return try DurableFile.contents(of: file, limit: JobDefinition.largestFile)
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
  }
}

/// The plan for a request: the steps, and the content of their workspace.
package struct JobPlan: Sendable {
  /// The part of the job's folder that is staged.
  package enum Staging: Sendable, Equatable {
    /// All of it, unchecked.
    case folder
    /// All of it, if the staged copy has this digest; and job.json is read from there.
    case verified(String)
    /// Nothing: the request is signed, and the folder is not.
    case nothing
  }

  package let request: JobRequest
  package let folder: JobFolder
  /// The definition from the folder; for ``Staging/verified(_:)`` it must be read again from the staged copy.
  package var definition: JobDefinition
  /// The digest of the job.json of ``definition``, if it comes from one.
  package var definitionDigest: String?

  package let staging: Staging

  package var reading: DefinitionReading { DefinitionReading(definition: definition, digest: definitionDigest) }

  /// The plan for `request`, with its open folder.
  package init(_ request: JobRequest, _ folder: JobFolder) throws(InvalidInput) {
    self.request = request
    self.folder = folder
    staging = request.source.map { .verified($0) } ?? (request.signature == nil ? .folder : .nothing)
    // The folder of a signed request is not signed unless the request has its digest.
    let isFolderHeard = staging != .nothing
    let reading = try request.definition { () throws(InvalidInput) in isFolderHeard ? try folder.readDefinition() : nil
    }
    (definition, definitionDigest) = (reading.definition, reading.digest)
  }
}
