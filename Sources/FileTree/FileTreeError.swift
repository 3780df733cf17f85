public import SystemPackage

/// Why a tree could not be copied, compared, exported or removed: the operation, the path and the cause.
public struct FileTreeError: Error, Hashable, Sendable {
  /// The cause.
  public enum Reason: Hashable, Sendable {
    /// A system call failed. `Errno.noSpace`, for example, means a full disk.
    case system(Errno)
    /// The file was written to, replaced or removed while it was copied, and again during the second attempt.
    case sourceChanged
    /// The name contains a line feed, which a line of a digest cannot represent.
    case lineFeedInName
  }

  /// The operation, as words that follow "cannot": "copy (open)", "remove (unlink)".
  public let operation: String

  /// The path, relative to the root of the tree; empty for the root itself.
  public let path: RelativePath

  /// The cause.
  public let reason: Reason

  /// The errno of the system call; `nil` when the source changed.
  public var errno: Errno? {
    if case .system(let errno) = reason { errno } else { nil }
  }

  /// Whether the file changed while it was copied.
  public var isSourceChanged: Bool { reason == .sourceChanged }

  /// Whether the work was canceled, rather than failed.
  public var isCancellation: Bool { errno == .canceled }

  /// Creates an error about one path.
  public init(operation: String, path: RelativePath, reason: Reason) {
    self.operation = operation
    self.path = path
    self.reason = reason
  }
}

extension FileTreeError: CustomStringConvertible {
  /// A sentence with the path, the cause and what to do next.
  public var description: String {
    let place = path.bytes.isEmpty ? "the root of the tree" : "'\(path)'"
    switch reason {
    case .sourceChanged:
      return "\(place) changed twice while it was copied; finish writing it before the copy starts"
    case .lineFeedInName:
      return "\(place) has a line feed in its name, which a digest cannot represent; rename it"
    case .system(let errno):
      let sentence = "cannot \(operation) \(place): \(errno)"
      return advice(on: errno).map { "\(sentence); \($0)" } ?? sentence
    }
  }

  private func advice(on errno: Errno) -> String? {
    switch errno {
    case .noSpace: "free space or inodes on that file system"
    case Errno(rawValue: 122): "raise the disk quota, or delete files"
    case .permissionDenied, .notPermitted: "grant access to the user that runs this process"
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem: "raise the limit of open files (ulimit -n)"
    case .readOnlyFileSystem: "mount it writable"
    case .ioError: "look for device or network errors in the kernel log"
    case .improperLink: "it is a mount point, which is left alone; unmount it"
    case .resourceBusy: "it is a mount point or in use; unmount it, or end the processes that use it"
    default: nil
    }
  }
}

extension FileTreeError {
  init(_ verb: String, _ failure: SystemCallError, at path: RelativePath) {
    self.init(
      operation: "\(verb) (\(failure.call.rawValue))", path: path, reason: .system(Errno(rawValue: failure.code)))
  }
}
