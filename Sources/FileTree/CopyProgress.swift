/// How far a copy is.
public struct CopyProgress: Hashable, Sendable {
  /// Files and symlinks that are complete.
  public let files: Int

  /// Bytes copied, of files that are not complete as well.
  public let bytes: Int64

  /// The time since the copy began.
  public let elapsed: Duration
}
