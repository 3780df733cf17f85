import Jobs
import Logging
import Volume

/// Lets a request begin only once somebody has approved it, if it must be approved.
///
/// An approval is tied to the digests of the request and of job.json, so neither can be exchanged under it; if job.json changes, the
/// request waits again. The approval goes into the claim with the request, so that a worker that takes the job over does not ask
/// again.
struct ApprovalGate: Sendable {
  let ledger: Ledger
  let demand: ApprovalDemand
  let source: any JobSource
  let logger: Logger

  /// Throws ``Unapproved`` when the request may not be begun with this definition.
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
    // A refusal was looked for before.
    guard approval.decision == .approved else { throw Unapproved(why: nil) }
  }

  /// A dry run is for the user who started it.
  func noteDryRun(_ id: JobID, _ definition: JobDefinition) {
    guard isDryRun, isDemanded(by: definition) else { return }
    logger.notice("the request would wait for approval; a dry run runs it", metadata: ["job": "\(id)"])
  }

  private var isDryRun: Bool { ledger.filter == nil }

  private func isDemanded(by definition: JobDefinition) -> Bool { demand == .always || definition.requiresApproval }

  /// Why a request is not run that somebody refused; `nil` if nobody has.
  func refusal(of envelope: Envelope, _ id: JobID) -> InvalidInput? {
    guard let approval = envelope.approval, approval.decision == .rejected, approval.requestDigest == envelope.digest
    else { return nil }
    return InvalidInput(
      id: id, description: "the request waited for approval, and was rejected \(approval.circumstances)")
  }

  /// Parks a request until it is approved, durably. Throws ``InvalidInput`` when there is no place for it.
  ///
  /// A deferred request is moved, so that of many workers that look at it one parks it, once.
  func park(_ request: Request, _ why: String?) async throws {
    switch request.origin {
    case .deferred(let deferred):
      if try isParked(request, besides: deferred) {
        _ = try ledger.deferredQueue.remove(deferred)
      } else {
        try recordParked(request, why)
        guard try ledger.parkedQueue.admit(deferred) else { return }
        TestStopPoint.parked.reached()
      }
    case .delivery, .abandoned:
      if try !isParked(request) {
        try recordParked(request, why)
        try ledger.parkedQueue.putWhole(request.envelope, request.id)
        TestStopPoint.parked.reached()
      }
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

  /// Whether the request waits for approval already, or has it and waits to be taken up.
  private func isParked(_ request: Request, besides deferred: DeferredRequest? = nil) throws -> Bool {
    let (envelope, id) = (request.envelope, request.id)
    // In this order: a request that is let go meanwhile is found in the second place.
    return try !ledger.parkedQueue.requests(of: envelope, id).isEmpty
      || ledger.deferredQueue.requests(of: envelope, id).contains {
        $0.envelope.approval != nil && $0.path != deferred?.path
      }
  }

  /// The audit log comes before the deed.
  private func recordParked(_ request: Request, _ why: String?) throws {
    guard try ledger.parkedQueue.count() < DeferredQueue.approvalCapacity else {
      throw InvalidInput(
        id: request.id,
        description: "\(DeferredQueue.approvalCapacity) requests wait for approval already; send it again later")
    }
    var entry = AuditEntry(.parked, id: request.id, of: request.envelope, signedBy: request.keyID)
    entry.error = why
    try ledger.audit.record(entry)
    // The user who decides may be another one, in whose folders this worker could not remove anything.
    try DurableFile.makeFolder(ledger.deferredQueue.folder)
  }
}

/// A request needs an approval that it does not have; why the one that it has does not hold, if it has one.
struct Unapproved: Error {
  let why: String?

  /// The rejection of a job that was begun with an approval which does not hold any more.
  func rejection(of id: JobID) -> InvalidInput {
    InvalidInput(
      id: id, description: "\(why ?? "the job needs an approval, and the request has none"); send the request again")
  }
}
