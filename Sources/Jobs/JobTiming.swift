/// When a job was worked on, and how long each part took: result.json's `timing`.
package struct JobTiming: Codable, Sendable, Equatable {
  /// When the worker began, by its wall clock, as ``Timestamp`` writes it.
  package var start: String
  /// When it was done.
  package var end: String
  /// Milliseconds between the two on the monotonic clock, which a wall clock set back does not touch.
  package var durationMs: Int
  /// Milliseconds of copying to the workspace; none when it was not begun.
  package var stageMs: Int?
  /// Milliseconds of all steps.
  package var runMs: Int?
  /// Milliseconds of bringing the artifacts back.
  package var syncMs: Int?

  /// A timing of the given parts.
  package init(
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
