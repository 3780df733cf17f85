private import Crypto
private import FileTree
package import Jobs

/// One thing that a worker did or decided, as a line of the audit log tells it.
package struct AuditEntry: Encodable, Sendable {
  /// What happened. ``AuditLog`` adds who did it.
  package enum Event: String, Encodable, Sendable {
    /// A job was claimed for a request. Nothing is done for it before this line is written.
    case claimed
    /// A job was claimed whose worker, `from`, died over it.
    case takenOver = "taken-over"
    /// A claim was given up again: somebody else had seen to the request.
    case dropped
    /// A request was refused; `error` is what its sender is told.
    case rejected
    /// A request was for a job that is being worked on.
    case duplicate
    /// A request was answered with the result that it had got before.
    case answered
    /// A request was put down for an idle worker.
    case putDown = "put-down"
    /// A request was put down until somebody approves it; `error` is why an earlier approval does not hold.
    case parked
    /// The queue that the worker `from` left with the broker was taken over.
    case adopted
    /// The files are staged, and the steps begin.
    case started
    /// A step ended.
    case step
    /// Somebody, `by`, asked for the job's end.
    case canceled
    /// The result stands. Told again when another worker publishes it.
    case completed
    /// The broker has the result.
    case published
    /// The broker does not take the result, which was put aside and is tried again; `error` is what it said.
    case undelivered
    /// A result that was put aside is published no more: the job has a newer one.
    case replaced
    /// Another worker holds the job, so this one left it.
    case superseded
    /// A kill switch was found; no job is taken.
    case halted
    /// It is gone.
    case resumed
    /// The worker was asked to stop and does not come back.
    case left
  }

  /// What happened.
  package let event: Event
  /// When, as ``Timestamp`` writes it.
  package let time: String
  /// The job.
  package var id: JobID?
  /// Which attempt of the job, from 1.
  package var attempt: Int?
  /// The topic on which the request came.
  package var topic: String?
  /// The request's idempotency key; one that is long is clipped.
  package var requestId: String?
  /// The ``Envelope/digest`` of the request.
  package var requestDigest: String?
  /// Who approved the request.
  package var approvedBy: String?
  /// The digest of the job.json that was approved.
  package var definitionDigest: String?
  /// The key that the request was signed with.
  package var keyId: String?
  /// The step's place in the job, from 0.
  package var step: Int?
  /// The digest of the step's command.
  package var commandDigest: String?
  /// A ``JobStatus`` or, for a step, a ``StepStatus``.
  package var status: String?
  /// The exit code of the step or the job.
  package var exitCode: Int?
  /// What went wrong, as a sentence.
  package var error: String?
  /// Another worker that this is about.
  package var from: String?
  /// Who or what asked for it.
  package var by: String?
  /// Why it was asked for.
  package var reason: String?

  /// Something that happens now.
  package init(_ event: Event, id: JobID? = nil) {
    self.event = event
    time = Timestamp.now.description
    self.id = id
  }

  /// Something that happens now to a request.
  package init(_ event: Event, id: JobID, of envelope: Envelope, signedBy key: String? = nil) {
    self.init(event, id: id)
    topic = envelope.topic
    requestId = envelope.requestId.text
    requestDigest = envelope.digest
    keyId = key
    note(envelope.approval)
  }

  /// Tells who decided about the request.
  package mutating func note(_ approval: Approval?) {
    switch approval?.decision {
    case .approved: (approvedBy, definitionDigest) = (approval?.by, approval?.definitionDigest)
    case .rejected: (by, reason) = (approval?.by, approval?.reason)
    case nil: break
    }
  }
}

extension Envelope {
  /// What tells this payload from every other: `sha256:<hex>` of its bytes.
  package var digest: String { digestText(of: Array(payload.utf8)) }
}

/// The digest of `bytes` as audit lines hold it: `sha256:<hex>`, as sha256sum(1) prints the number.
package func digestText(of bytes: [UInt8]) -> String {
  "sha256:\(String(hexadecimal: SHA256.hash(data: bytes)))"
}

extension String {
  /// Bytes as lower case hexadecimal digits, two for each.
  package init(hexadecimal bytes: some Sequence<UInt8>) {
    self.init(decoding: hexadecimal(bytes), as: UTF8.self)
  }
}
