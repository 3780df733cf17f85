/// Why the worker, and not a step, could not do its part of a job; the job's result tells it with status `error`.
package struct JobFailure: Error, CustomStringConvertible {
  /// Where in a job's life it happened.
  package enum Phase: String, Sendable {
    case stage, run, sync
  }

  package let phase: Phase
  package let description: String

  package init(_ phase: Phase, _ description: String) {
    self.phase = phase
    self.description = description
  }
}
