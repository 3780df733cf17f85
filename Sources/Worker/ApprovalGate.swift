import Jobs
import Logging
import Volume

/// Holds back a request that needs an approval until somebody has approved it.
///
/// An approval names the digests of the request and of job.json, so neither can be exchanged after the approval. If
/// job.json changes, the request waits again. The claim contains the approval, so a worker that takes the job over does
/// not ask again.
struct ApprovalGate: Sendable {
  let ledger: Ledger
  let demand: ApprovalDemand
  let source: any JobSource
  let logger: Logger

  /// Throws ``Unapproved`` when the request may not begin with this definition.
  func check(_ envelope: Envelope, _ reading: DefinitionReading) throws(Unapproved) {
    guard let approval = envelope.approval else {
      if isDemanded(by: reading.definition), !isDryRun { throw Unapproved(why: nil) }
      return
    }
    guard approval.requestDigest == envelope.digest else {
      throw Unapproved(why: "the request is not the one that was approved \(approval.circumstances)")
    }
    guard approval.definitionDigest == reading.digest else {
      throw Unapproved(why: "job.json is not as it was when it was approved \(approval.circumstances)")
    }
    // ``refusal(of:_:)`` has already answered a rejection of this request.
    guard approval.decision == .approved else { throw Unapproved(why: nil) }
  }

  /// Logs that a dry run does not wait for the approval: the user who started it sees the job run.
  func noteDryRun(_ id: JobID, _ definition: JobDefinition) {
    guard isDryRun, isDemanded(by: definition) else { return }
    logger.notice("the request would wait for approval; a dry run runs it", metadata: ["job": "\(id)"])
  }

  private var isDryRun: Bool { ledger.filter == nil }

  private func isDemanded(by definition: JobDefinition) -> Bool { demand == .always || definition.requiresApproval }

  /// The rejection of a request that an approver rejected; `nil` if nobody has.
  func refusal(of envelope: Envelope, _ id: JobID) -> InvalidInput? {
    guard let approval = envelope.approval, approval.decision == .rejected, approval.requestDigest == envelope.digest
    else { return nil }
    return InvalidInput(
      id: id, description: "the request waited for approval, and was rejected \(approval.circumstances)")
  }

  /// Parks a request durably until it is approved. Throws ``InvalidInput`` when too many requests wait already.
  ///
  /// A deferred request is moved to the parked queue: if several workers look at it, exactly one of them parks it.
  func park(_ request: Request, _ why: String?) async throws {
    let ledger = ledger.serving(request.filter)
    if case .deferred(let deferred) = request.origin {
      if try isParked(request, besides: deferred) {
        _ = try ledger.deferredQueue.remove(deferred)
      } else {
        try recordParked(request, why)
        guard try ledger.parkedQueue.admit(deferred) else { return }
        TestStopPoint.parked.reached()
      }
    } else if try !isParked(request) {
      try recordParked(request, why)
      try ledger.parkedQueue.putWhole(request.envelope, request.id)
      TestStopPoint.parked.reached()
    }
    logger.notice(
      "the request waits for approval\(why.map { ": \($0)" } ?? "")",
      metadata: ["job": "\(request.id)", "digest": "\(request.envelope.digest)"])
    var event = JobEvent(
      event: .awaitingApproval, id: request.id, requestId: request.envelope.requestId, workerId: ledger.worker.id.text,
      error: why)
    event.requestDigest = request.envelope.digest
    source.publish(event)
  }

  /// Whether the request is parked already, or is approved and waits in the deferred queue.
  private func isParked(_ request: Request, besides deferred: DeferredRequest? = nil) throws -> Bool {
    let (ledger, envelope, id) = (ledger.serving(request.filter), request.envelope, request.id)
    // The order matters: a request that is approved between the two looks is found by the second.
    return try !ledger.parkedQueue.requests(of: envelope, id).isEmpty
      || ledger.deferredQueue.requests(of: envelope, id).contains {
        $0.envelope.approval != nil && $0.path != deferred?.path
      }
  }

  /// Writes the audit log before the request is parked. Throws ``InvalidInput`` when the parked queue is full.
  private func recordParked(_ request: Request, _ why: String?) throws {
    let ledger = ledger.serving(request.filter)
    guard try ledger.parkedQueue.count() < DeferredQueue.approvalCapacity else {
      throw InvalidInput(
        id: request.id,
        description: "\(DeferredQueue.approvalCapacity) requests wait for approval already; send it again later")
    }
    var entry = AuditEntry(.parked, id: request.id, of: request.envelope, signedBy: request.keyID)
    entry.error = why
    try ledger.audit.record(entry)
    // The approver may be another user, and this worker cannot remove files from a folder that the other user makes. So
    // the worker makes the queue's folder now.
    try DurableFile.makeFolder(ledger.deferredQueue.folder)
  }
}

/// A request needs a valid approval and has none. `why` says why its approval does not hold, if it has one.
struct Unapproved: Error {
  let why: String?

  /// The rejection of a job whose approval does not hold any more.
  func rejection(of id: JobID) -> InvalidInput {
    InvalidInput(
      id: id, description: "\(why ?? "the job needs an approval, and the request has none"); send the request again")
  }
}
