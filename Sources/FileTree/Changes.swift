/// What differs in a tree from what it was when it was staged. Lists are in byte order of their paths.
public struct Changes: Sendable {
  /// Files and symlinks that are new or have other content.
  public let changed: [ChangedEntry]

  /// Files and symlinks that are gone, also those of a folder that is gone.
  public let deleted: [RelativePath]

  /// What is neither file nor folder nor symlink.
  public let skipped: [SkippedEntry]

  /// What could not be looked at: a folder without the right to read it, say. Nothing in such a folder is in the
  /// other lists.
  public let failures: [FileTreeError]

  /// Creates a list of changes, to export others than those that were found.
  public init(
    changed: [ChangedEntry], deleted: [RelativePath] = [], skipped: [SkippedEntry] = [], failures: [FileTreeError] = []
  ) {
    self.changed = changed.sorted { $0.path < $1.path }
    self.deleted = deleted.sorted()
    self.skipped = skipped.sorted { $0.path < $1.path }
    self.failures = failures.sorted { $0.path < $1.path }
  }

  /// Whether the tree is as it was.
  public var isEmpty: Bool {
    changed.isEmpty && deleted.isEmpty && skipped.isEmpty && failures.isEmpty
  }
}

/// A file or symlink that is not as it was.
public struct ChangedEntry: Hashable, Sendable {
  /// What it is now.
  public enum Kind: Hashable, Sendable {
    /// A regular file.
    case file
    /// A symlink, dangling or not.
    case symlink
  }

  /// How it came to be.
  public enum Change: String, Hashable, Sendable {
    /// No file or symlink had this path.
    case new
    /// One had it, with other content.
    case modified
  }

  /// Where it lies, relative to the root of the tree.
  public let path: RelativePath

  /// What it is now.
  public let kind: Kind

  /// How it came to be.
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
