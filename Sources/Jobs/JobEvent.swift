internal import FoundationEssentials

/// The payload on `jobs/events/<id>`: one thing that happened to a job.
package struct JobEvent: Codable, Sendable, Equatable {
  /// What happened.
  package enum Kind: String, Codable, Sendable {
    /// A worker claimed the job.
    case accepted
    /// Its files are staged, and its steps begin.
    case started
    /// Its files are being copied, for longer than a second: how far that is. At most once a second.
    case progress
    /// A step ended.
    case step
    /// Its request waits for somebody's approval; no worker has it. Told again when the request is sent again.
    case awaitingApproval = "awaiting-approval"
    /// Its result is in place.
    case completed
    /// It was refused.
    case rejected
    /// It was asked for again while a worker is on it.
    case duplicate
  }

  /// What happened.
  package var event: Kind
  /// The job.
  package var id: JobID
  /// The request that it is about, by its idempotency key.
  package var requestId: String?
  /// The worker that tells it.
  package var workerId: String
  /// Which attempt of the job, from 1.
  package var attempt: Int?
  /// When, as ``Timestamp`` writes it.
  package var time: String
  /// The step's place in the job, from 0; of ``Kind/step`` only.
  package var step: Int?
  /// What people call the step.
  package var name: String?
  /// A ``StepStatus`` or a ``JobStatus``, as the event is about one or the other.
  package var status: String?
  /// The exit code of the step or the job.
  package var exitCode: Int?
  /// Milliseconds that the step or the job took.
  package var durationMs: Int?
  /// What went wrong, as a sentence.
  package var error: String?
  /// The ``Envelope/digest`` of the request; of ``Kind/awaitingApproval`` only.
  package var requestDigest: String?
  /// What is being copied, `stage` or `sync`; of ``Kind/progress`` only.
  package var phase: String?
  /// Files copied so far.
  package var files: Int?
  /// Bytes copied so far.
  package var bytes: Int64?

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
    self.event = .step
    self.id = id
    self.requestId = requestId?.text
    self.workerId = workerId
    self.attempt = attempt
    self.time = time
    self.step = step.index
    self.name = step.name
    self.status = step.status.rawValue
    self.exitCode = step.exitCode
    self.durationMs = step.durationMs
  }

  /// The payload: compact JSON, keys sorted.
  package func encoded() throws -> [UInt8] {
    try compactJSON(self)
  }

  /// What a payload says; `nil` when it is no event, or one of a kind that is not known here.
  package init?(payload: [UInt8]) {
    guard let event = try? JSONDecoder().decode(JobEvent.self, from: Data(payload)) else { return nil }
    self = event
  }
}
