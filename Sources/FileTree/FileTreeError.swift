public import SystemPackage

/// Why a tree could not be copied, compared, exported or removed: what was tried, on which path, and what came of it.
public struct FileTreeError: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Reason: Hashable, Sendable {
    /// A system call failed. `Errno.noSpace`, for one, is a full disk.
    case system(Errno)
    /// The file was written to, replaced or removed while it was copied, and again while it was copied once more.
    case sourceChanged
    /// The name holds a line feed, which no line of a digest can.
    case lineFeedInName
  }

  /// What was tried, as words that follow "cannot": "copy: open", "remove: unlink".
  public let operation: String

  /// Where, relative to the root of the tree; empty for the root itself.
  public let path: RelativePath

  /// What went wrong.
  public let reason: Reason

  /// The errno of the system call; `nil` when the source changed.
  public var errno: Errno? {
    if case .system(let errno) = reason { errno } else { nil }
  }

  /// Whether the file changed under the copy.
  public var isSourceChanged: Bool { reason == .sourceChanged }

  /// Whether nothing went wrong, but the work was canceled.
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
      return "\(place) changed while it was copied, twice; finish writing it before the copy starts"
    case .lineFeedInName:
      return "\(place) has a line feed in its name, and cannot be part of a digest; rename it"
    case .system(let errno):
      let sentence = "cannot \(operation) \(place): \(errno)"
      return advice(on: errno).map { "\(sentence); \($0)" } ?? sentence
    }
  }

  private func advice(on errno: Errno) -> String? {
    switch errno {
    case .noSpace: "free space or inodes on that file system"
    case Errno(rawValue: 122): "raise the disk quota, or remove something"
    case .permissionDenied, .notPermitted: "give the user that runs this the right to it"
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem: "raise the limit of open files (ulimit -n)"
    case .readOnlyFileSystem: "mount it writable"
    case .ioError: "look for device or network errors in the kernel log"
    case .improperLink: "something is mounted there, and is left alone; unmount it"
    case .resourceBusy: "something is mounted there or uses it; unmount it, or end what uses it"
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
