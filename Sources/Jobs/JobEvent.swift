/// The payload on `jobs/events/<id>`: an event of a job.
package struct JobEvent: Payload, Sendable, Equatable {
  /// The kind of event.
  package enum Kind: String, Codable, Sendable {
    /// A worker claimed the job.
    case accepted
    /// The files are staged, and the steps start.
    case started
    /// The progress of a copy that takes longer than a second; at most once a second.
    case progress
    /// A step begins.
    case stepStarted = "step-started"
    /// A step ended.
    case step
    /// The request waits for approval; no worker has it. Published again when the request is sent again.
    case awaitingApproval = "awaiting-approval"
    /// The result is on the volume.
    case completed
    /// The request was refused.
    case rejected
    /// The job was requested again while a worker runs it.
    case duplicate
  }

  /// The kind of event.
  package var event: Kind
  /// The job.
  package var id: JobID
  /// The idempotency key of the request.
  package var requestId: String?
  /// The worker that publishes it.
  package var workerId: String
  /// The attempt, from 1.
  package var attempt: Int?
  /// The time, as ``Timestamp`` writes it.
  package var time: String
  /// The step's index, from 0; only for ``Kind/stepStarted`` and ``Kind/step``.
  package var step: Int?
  /// The number of steps; only for ``Kind/stepStarted``.
  package var steps: Int?
  /// The step's name.
  package var name: String?
  /// A ``StepStatus`` or a ``JobStatus``, depending on the kind.
  package var status: String?
  /// The exit code of the step or the job.
  package var exitCode: Int?
  /// The duration of the step or the job, in milliseconds.
  package var durationMs: Int?
  /// The error, as a sentence.
  package var error: String?
  /// The ``Envelope/digest`` of the request; only for ``Kind/awaitingApproval``.
  package var requestDigest: String?
  /// The copy that runs, `stage` or `sync`; only for ``Kind/progress``.
  package var phase: String?
  /// Files copied so far.
  package var files: Int?
  /// Bytes copied so far.
  package var bytes: Int64?
  /// The files to copy, if they are counted already.
  package var totalFiles: Int?
  /// The bytes to copy, likewise.
  package var totalBytes: Int64?
  /// `true` if the worker publishes the output of steps; only for ``Kind/started``.
  package var publishesLogs: Bool?

  /// An event of a job.
  package init(
    event: Kind, id: JobID, requestId: RequestID? = nil, workerId: String, attempt: Int? = nil,
    time: String = Timestamp.now.description, durationMs: Int? = nil, error: String? = nil
  ) {
    self.event = event
    self.id = id
    self.requestId = requestId?.text
    self.workerId = workerId
    self.attempt = attempt
    self.time = time
    self.durationMs = durationMs
    self.error = error
  }

  /// The end of a step.
  package init(
    step: StepResult, id: JobID, requestId: RequestID? = nil, workerId: String, attempt: Int,
    time: String = Timestamp.now.description
  ) {
    self.init(
      event: .step, id: id, requestId: requestId, workerId: workerId, attempt: attempt, time: time,
      durationMs: step.durationMs)
    self.step = step.index
    name = step.name
    status = step.status.rawValue
    exitCode = step.exitCode
  }
}
