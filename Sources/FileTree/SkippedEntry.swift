/// An entry of a tree that was skipped, and the reason.
public struct SkippedEntry: Hashable, Sendable {
  /// Why an entry is skipped. The raw value is the text for a report.
  public enum Reason: String, Hashable, Sendable {
    /// A named pipe; it has no content to copy.
    case fifo = "a FIFO"
    /// A Unix socket.
    case socket = "a socket"
    /// A block or character device.
    case device = "a device"
    /// A symlink whose target is absolute or leads out of the tree through `..`.
    case escapingSymlink = "a symlink that leads out of the tree"
    /// A mount point; mounted content does not belong to the tree.
    case mount = "a mount point, which is left alone"
    /// An unknown kind of file.
    case unknownKind = "not a file, a folder or a symlink"
  }

  /// Its path, relative to the root of the tree.
  public let path: RelativePath

  /// Why it was skipped.
  public let reason: Reason

  /// Creates a skipped entry.
  public init(path: RelativePath, reason: Reason) {
    self.path = path
    self.reason = reason
  }
}
