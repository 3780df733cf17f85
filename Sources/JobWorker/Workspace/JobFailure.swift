/// Why the worker, and not a step, could not do its part of a job; the job's result tells it with status `error`.
struct JobFailure: Error, CustomStringConvertible {
  /// Where in a job's life it happened.
  enum Phase: String, Sendable {
    case stage, run, sync
  }

  let phase: Phase
  let description: String

  init(_ phase: Phase, _ description: String) {
    self.phase = phase
    self.description = description
  }
}
