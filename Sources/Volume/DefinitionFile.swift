import FileTree
package import Jobs
package import SystemPackage

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
