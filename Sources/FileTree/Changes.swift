/// The differences between a tree and its state when it was staged. Lists are in byte order of their paths.
public struct Changes: Sendable {
  /// Files and symlinks that are new, or have other content or permissions.
  public let changed: [ChangedEntry]

  /// Folders that are new or have other permissions.
  public let folders: [RelativePath]

  /// Files and symlinks that were removed, including those of removed folders.
  public let deleted: [RelativePath]

  /// Entries that are neither files, folders nor symlinks.
  public let skipped: [SkippedEntry]

  /// Paths that could not be examined, such as a folder without read permission. No entry of such a folder is in the
  /// other lists.
  public let failures: [FileTreeError]

  /// Creates a list of changes, to export other entries than those that were found.
  public init(
    changed: [ChangedEntry], folders: [RelativePath] = [], deleted: [RelativePath] = [], skipped: [SkippedEntry] = [],
    failures: [FileTreeError] = []
  ) {
    self.changed = changed.sorted { $0.path < $1.path }
    self.folders = folders.sorted()
    self.deleted = deleted.sorted()
    self.skipped = skipped.sorted { $0.path < $1.path }
    self.failures = failures.sorted { $0.path < $1.path }
  }

  /// The same without those of these folders in which nothing else has changed.
  public func without(emptyFolders parents: Set<RelativePath>) -> Changes {
    guard !parents.isEmpty else { return self }
    var needed: Set<RelativePath> = []
    for path in changed.map(\.path) + folders where !parents.contains(path) { needed.formUnion(path.parents) }
    return Changes(
      changed: changed, folders: folders.filter { !parents.contains($0) || needed.contains($0) }, deleted: deleted,
      skipped: skipped, failures: failures)
  }

  /// Whether nothing has changed.
  public var isEmpty: Bool {
    changed.isEmpty && folders.isEmpty && deleted.isEmpty && skipped.isEmpty && failures.isEmpty
  }
}

/// A file or symlink that has changed.
public struct ChangedEntry: Hashable, Sendable {
  /// Its kind now.
  public enum Kind: Hashable, Sendable {
    /// A regular file.
    case file
    /// A symlink, dangling or not.
    case symlink
  }

  /// What has changed.
  public enum Change: String, Hashable, Sendable {
    /// No file or symlink had this path.
    case new
    /// A file or symlink with other content had this path.
    case modified
    /// The content is the same, the permission bits are others.
    case mode
  }

  /// Its path, relative to the root of the tree.
  public let path: RelativePath

  /// Its kind now.
  public let kind: Kind

  /// What has changed.
  public let change: Change

  /// Its size in bytes; of a symlink, the length of its target.
  public let size: Int64

  /// Its permission bits.
  public let mode: UInt32

  /// Creates an entry of a list of changes.
  public init(path: RelativePath, kind: Kind, change: Change, size: Int64, mode: UInt32) {
    self.path = path
    self.kind = kind
    self.change = change
    self.size = size
    self.mode = mode
  }
}

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
