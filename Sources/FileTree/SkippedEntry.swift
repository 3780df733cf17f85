/// Something in a tree that was left out, and why.
public struct SkippedEntry: Hashable, Sendable {
  /// Why an entry is left out. The raw value is the sentence for a report.
  public enum Reason: String, Hashable, Sendable {
    /// A named pipe; it has no content to copy.
    case fifo = "a FIFO"
    /// A Unix socket.
    case socket = "a socket"
    /// A block or character device.
    case device = "a device"
    /// A symlink whose target is absolute or leads out of the tree through `..`.
    case escapingSymlink = "a symlink that leads out of the tree"
    /// Something is mounted there, and is not the tree's.
    case mount = "a mount point: what is mounted there is left alone"
    /// A kind of file that this library does not know.
    case unknownKind = "not a file, a folder or a symlink"
  }

  /// Where it lies, relative to the root of the tree.
  public let path: RelativePath

  /// Why it is left out.
  public let reason: Reason

  /// Creates an entry of a list of what was left out.
  public init(path: RelativePath, reason: Reason) {
    self.path = path
    self.reason = reason
  }
}
