package import Jobs
package import Volume

/// The state of a job, as far as the volume shows it.
package enum JobState: String, Encodable, Sendable, CaseIterable {
  /// A worker has it, or died while running it and the next one will take over.
  case running
  /// A busy worker deferred its request for the next idle one.
  case queued
  /// Its request waits for approval.
  case awaitingApproval = "awaiting-approval"
  /// It has a folder and no result: its request is at the broker, or was never sent.
  case pending
  /// It has a result.
  case finished
}

/// A job in a list. Unknown values are left out of the JSON.
package struct JobSummary: Encodable, Sendable {
  /// The job.
  package let id: JobID
  /// The state.
  package let state: JobState
  /// The attempt, from 1.
  package internal(set) var attempt: Int?
  /// The current or last worker.
  package internal(set) var workerId: String?
  /// The index of the current step, from 0.
  package internal(set) var step: Int?
  /// The current step's name, or the beginning of its command.
  package internal(set) var stepName: String?
  /// The number of steps.
  package internal(set) var steps: Int?
  /// What its worker does, and since when by that worker's clock.
  package internal(set) var phase: AttemptTrace.Phase?
  package internal(set) var phaseSince: String?
  /// When its worker touched its claim last; a living one does so in each third of its lease.
  package internal(set) var touched: String?
  /// The size of the current step's log, in bytes.
  package internal(set) var logBytes: Int?
  /// The topic filter of the workers that may take it.
  package internal(set) var filter: String?
  /// The start of the wait.
  package internal(set) var since: String?
  /// How it ended.
  package internal(set) var status: JobStatus?
  /// Its exit code.
  package internal(set) var exitCode: Int?
  /// When it ended.
  package internal(set) var end: String?
  /// Milliseconds that it took.
  package internal(set) var durationMs: Int?
  /// The error.
  package internal(set) var error: String?
  /// Who canceled it, if no worker has it yet: the one that takes it answers it as canceled.
  package internal(set) var canceledBy: String?
  /// The undelivered result, if the broker refused it.
  package internal(set) var undelivered: UndeliveredSummary?

  init(_ id: JobID, _ state: JobState) {
    self.id = id
    self.state = state
  }

  /// A job whose result exists and was not read.
  package init(finished id: JobID) {
    self.init(id, .finished)
  }
}
