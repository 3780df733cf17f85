/// The start and end of a job and the duration of each phase: `timing` in result.json.
package struct JobTiming: Codable, Sendable, Equatable {
  /// The start by the worker's wall clock, as ``Timestamp`` writes it.
  package var start: String
  /// The end.
  package var end: String
  /// Milliseconds between the two on the monotonic clock, independent of changes to the wall clock.
  package var durationMs: Int
  /// The duration of staging in milliseconds; none if it did not start.
  package var stageMs: Int?
  /// The duration of all steps in milliseconds.
  package var runMs: Int?
  /// The duration of copying the artifacts back in milliseconds.
  package var syncMs: Int?

  /// A timing with these values.
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
