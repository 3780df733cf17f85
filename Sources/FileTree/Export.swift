/// What came of an export. Files that failed have left nothing behind; all others are complete.
public struct Export: Sendable {
  /// What is in the results, complete and durable, in byte order of the paths.
  public let files: [ExportedFile]

  /// What was left out: symlinks that lead out of the tree, and mounts.
  public let skipped: [SkippedEntry]

  /// What is missing because the export was canceled.
  public let unfinished: [RelativePath]

  /// What could not be exported, and why, each with its path in the tree.
  public let failures: [FileTreeError]
}

/// A file or symlink that is complete in the results.
public struct ExportedFile: Hashable, Sendable {
  /// Where it lay in the tree.
  public let path: RelativePath

  /// Its size in bytes; of a symlink, the length of its target.
  public let size: Int64

  /// Its permission bits, less setuid and setgid.
  public let mode: UInt32

  /// The SHA-256 of what was written, of a symlink that of its target; lower-case hexadecimal. `nil` for a file with holes of
  /// more than 16 GiB: they cost nothing but to be hashed.
  public let sha256: String?

  /// Whether it is new or modified.
  public let change: ChangedEntry.Change

  /// Where it lies in the results, if that is not `path`.
  public let storedAs: RelativePath?
}
