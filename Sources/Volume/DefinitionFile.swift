import Glibc
package import Jobs
package import SystemPackage

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
