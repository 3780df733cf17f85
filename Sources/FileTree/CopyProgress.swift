/// How far a copy or an export is.
public struct CopyProgress: Hashable, Sendable {
  /// Files and symlinks that are complete.
  public let files: Int

  /// Bytes copied, of files that are not complete as well.
  public let bytes: Int64

  /// The time since the copy began.
  public let elapsed: Duration

  /// What has been done in a time.
  public init(files: Int, bytes: Int64, elapsed: Duration) {
    self.files = files
    self.bytes = bytes
    self.elapsed = elapsed
  }
}
