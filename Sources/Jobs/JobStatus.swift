/// How a job ended.
package enum JobStatus: String, Codable, Sendable, CaseIterable {
  /// Every step that counts succeeded.
  case success
  /// A step failed.
  case failed
  /// The job, or the step that ended it, took longer than it may.
  case timeout
  /// Somebody asked for its end, or its worker was told to stop.
  case canceled
  /// Staging, spawning or syncing failed: the worker's fault or its machine's, not the job's.
  case error
  /// Its worker died, and no attempt was left.
  case lost
  /// It was never started.
  case rejected
}

/// How a step ended.
package enum StepStatus: String, Codable, Sendable, CaseIterable {
  /// Exit code 0.
  case success
  /// Another exit code, or a signal.
  case failed
  /// It took longer than it, or the job, may.
  case timeout
  /// It was ended because the job was.
  case canceled
  /// It was never started, because a step before it failed.
  case skipped
  /// It could not be started.
  case error
}
