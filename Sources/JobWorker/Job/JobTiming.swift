/// When a job was worked on, and how long each part took: result.json's `timing`.
public struct JobTiming: Codable, Sendable, Equatable {
  /// When the worker began, by its wall clock, as ``Timestamp`` writes it.
  public var start: String
  /// When it was done.
  public var end: String
  /// Milliseconds between the two on the monotonic clock, which a wall clock set back does not touch.
  public var durationMs: Int
  /// Milliseconds of copying to the workspace; none when it was not begun.
  public var stageMs: Int?
  /// Milliseconds of all steps.
  public var runMs: Int?
  /// Milliseconds of bringing the artifacts back.
  public var syncMs: Int?

  /// A timing of the given parts.
  public init(
    start: String, end: String, durationMs: Int, stageMs: Int? = nil, runMs: Int? = nil, syncMs: Int? = nil
  ) {
    self.start = start
    self.end = end
    self.durationMs = durationMs
    self.stageMs = stageMs
    self.runMs = runMs
    self.syncMs = syncMs
  }
}
