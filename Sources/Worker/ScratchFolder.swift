import FileTree
private import Glibc
import Jobs
import Steps
import SystemPackage
import Volume

/// A job's folder for what is neither staged nor an artifact: `$TMPDIR`, and the files in which a step hands on
/// variables.
///
/// It lies in the worker's own folder beside the workspaces, and is made for the first step. Its path is short, because
/// that of a Unix socket in `$TMPDIR` has at most 107 bytes (unix(7)): its name is the inode number of the workspace's
/// lock file, which no other workspace has as long as that file is there.
struct ScratchFolder: Sendable {
  private let parent: FilePath
  private let name: String

  init(in parent: FilePath, of lock: WorkspaceLock) throws(VolumeError) {
    self.parent = parent
    name = "\(String(try lock.number, radix: 36)).tmp"
  }

  private static let temporary = "tmp"

  /// New, empty files for a step, and `$TMPDIR`. What an earlier step did to the folder is mended.
  func newFiles() throws(Errno) -> StepFiles {
    let parent = try open(AT_FDCWD, self.parent.string, O_DIRECTORY)
    defer { try? parent.close() }
    let folder = try openFolder(name, in: parent)
    do throws(Errno) {
      let temporary = try openFolder(Self.temporary, in: folder)
      try? temporary.close()
      return try StepFiles(in: folder, path: self.parent.appending(name), temporary: Self.temporary)
    } catch {
      try? folder.close()
      throw error
    }
  }

  private func openFolder(_ name: String, in parent: FileDescriptor) throws(Errno) -> FileDescriptor {
    for _ in 0..<2 {
      if let folder = try? open(parent.rawValue, name, O_DIRECTORY), fchmod(folder.rawValue, 0o700) == 0 {
        return folder
      }
      guard mkdirat(parent.rawValue, name, 0o700) != 0 else { continue }
      guard errno == EEXIST else { throw Errno(rawValue: errno) }
      // Something else has its name, or its rights are gone.
      do { try FileTree.remove(name, in: parent) } catch { throw .fileExists }
      guard mkdirat(parent.rawValue, name, 0o700) == 0 else { throw Errno(rawValue: errno) }
    }
    return try open(parent.rawValue, name, O_DIRECTORY)
  }

  /// Removes it with everything in it, if it is there.
  func remove(isCanceled: @escaping @Sendable () -> Bool = { false }) throws {
    let parent = try open(AT_FDCWD, self.parent.string, O_DIRECTORY)
    defer { try? parent.close() }
    // The usual case costs no threads.
    unlinkat(parent.rawValue, "\(name)/\(Self.temporary)", AT_REMOVEDIR)
    if unlinkat(parent.rawValue, name, AT_REMOVEDIR) == 0 || errno == ENOENT { return }
    try FileTree.remove(name, in: parent, isCanceled: isCanceled)
  }
}

/// The two files in which one try of a step hands on variables, in an open folder.
///
/// A step may put anything in their place: no link is followed, only a regular file is read, and at most 1 MiB of it.
final class StepFiles: Sendable {
  enum Kind: String, CaseIterable {
    case environment = "JOB_ENV"
    case output = "JOB_OUTPUT"
  }

  /// The places for the step's environment.
  let places: StepEnvironment.Places
  private let folder: FileDescriptor
  private let names: [Kind: String]

  /// Creates the files in `folder`, which is closed with this object. Their names are new: no earlier step can have made
  /// them.
  fileprivate init(in folder: FileDescriptor, path: FilePath, temporary: String) throws(Errno) {
    let suffix = String(UInt64.random(in: 0 ... .max), radix: 36)
    let names = Dictionary(uniqueKeysWithValues: Kind.allCases.map { ($0, "\($0.rawValue)-\(suffix)") })
    for name in names.values {
      let file = try open(folder.rawValue, name, O_WRONLY | O_CREAT | O_EXCL)
      try? file.close()
    }
    (self.folder, self.names) = (folder, names)
    places = StepEnvironment.Places(
      temporary: path.appending(temporary), environment: path.appending("\(Kind.environment.rawValue)-\(suffix)"),
      output: path.appending("\(Kind.output.rawValue)-\(suffix)"))
  }

  deinit {
    for name in names.values { unlinkat(folder.rawValue, name, 0) }
    try? folder.close()
  }

  /// What the step wrote; nothing if the file is gone. Throws ``VariableFault`` if that is the step's fault, and `Errno`
  /// if the disk cannot be read.
  func read(_ kind: Kind) throws -> VariableLines {
    let bytes: [UInt8]
    do throws(Errno) {
      let file = try open(folder.rawValue, names[kind] ?? "", O_RDONLY)
      defer { try? file.close() }
      bytes = try DurableFile.contents(of: file, limit: VariableLines.largest)
    } catch {
      if error == .noSuchFileOrDirectory { return try VariableLines([]) }
      if InvalidInput.isFault(error) { throw error }
      throw switch error {
      case .fileTooLarge: VariableFault("it is larger than \(VariableLines.largest) bytes (1 MiB)")
      case .permissionDenied: VariableFault("the worker may not read it any more")
      default: VariableFault("it is no regular file any more")
      }
    }
    return try VariableLines(bytes, isOwn: kind == .environment ? StepEnvironment.isOwn : { _ in false })
  }
}

/// Opens `name` in a folder. Follows no link in its place, and never blocks on a FIFO.
private func open(_ folder: Int32, _ name: String, _ flags: Int32) throws(Errno) -> FileDescriptor {
  let file = openat(folder, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600)
  guard file >= 0 else { throw Errno(rawValue: errno) }
  return FileDescriptor(rawValue: file)
}
