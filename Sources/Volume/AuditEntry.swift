package import Jobs

/// An action or decision of a worker: a line of the audit log.
package struct AuditEntry: Encodable, Sendable {
  /// The kind of event. ``AuditLog`` adds the worker.
  package enum Event: String, Encodable, Sendable {
    /// A job was claimed for a request. The worker writes this line before it does anything for the job.
    case claimed
    /// A job was claimed whose worker, `from`, died while running it.
    case takenOver = "taken-over"
    /// A claim was dropped before the job began: the request was handled already, is invalid, or finds no room here.
    case dropped
    /// A request was refused; `error` is the answer to the sender.
    case rejected
    /// A request was for a job that a worker runs already.
    case duplicate
    /// A request was answered with its earlier result.
    case answered
    /// A request was deferred for an idle worker.
    case deferred = "put-down"
    /// A request was parked until somebody approves it; `error` says why an earlier approval is not valid.
    case parked
    /// The broker's queue of the departed worker `from` was taken over.
    case adopted
    /// The files are staged, and the steps start.
    case started
    /// A step ended.
    case step
    /// The job was canceled by `by`.
    case canceled
    /// The job has its result, which is on the volume if it has a place there. Written again if another worker publishes it.
    case completed
    /// The broker has acknowledged the result.
    case published
    /// The broker refused the result, which is kept and retried; `error` is the broker's answer.
    case undelivered
    /// An undelivered result was dropped because the job has a newer one.
    case replaced
    /// This worker stopped because another one has, or may soon have, taken the job over.
    case superseded
    /// The kill switch exists; the worker takes no job.
    case halted
    /// The kill switch is gone.
    case resumed
    /// The worker was told to stop, and does not come back.
    case left
  }

  /// The kind of event.
  package let event: Event
  /// The time, as ``Timestamp`` writes it.
  package let time: String
  /// The job.
  package var id: JobID?
  /// The attempt, from 1.
  package var attempt: Int?
  /// The topic of the request.
  package var topic: String?
  /// The request's idempotency key, clipped if it is long.
  package var requestId: String?
  /// The ``Envelope/digest`` of the request.
  package var requestDigest: String?
  /// The approver of the request.
  package var approvedBy: String?
  /// The digest of the job.json that was approved.
  package var definitionDigest: String?
  /// The key that signed the request.
  package var keyId: String?
  /// The step's index, from 0.
  package var step: Int?
  /// The digest of the step's command.
  package var commandDigest: String?
  /// A ``JobStatus`` or, for a step, a ``StepStatus``.
  package var status: String?
  /// The exit code of the step or the job.
  package var exitCode: Int?
  /// The error, as a sentence.
  package var error: String?
  /// The other worker of the event.
  package var from: String?
  /// The origin of the order: a person or a program.
  package var by: String?
  /// The reason of the order.
  package var reason: String?

  /// An event of now.
  package init(_ event: Event, id: JobID? = nil) {
    self.event = event
    time = Timestamp.now.description
    self.id = id
  }

  /// An event of now about a request.
  package init(_ event: Event, id: JobID, of envelope: Envelope, signedBy key: String? = nil) {
    self.init(event, id: id)
    topic = envelope.topic
    requestId = envelope.requestId.text
    requestDigest = envelope.digest
    keyId = key
    note(envelope.approval)
  }

  /// Adds the decision about the request.
  package mutating func note(_ approval: Approval?) {
    switch approval?.decision {
    case .approved: (approvedBy, definitionDigest) = (approval?.by, approval?.definitionDigest)
    case .rejected: (by, reason) = (approval?.by, approval?.reason)
    case nil: break
    }
  }
}
