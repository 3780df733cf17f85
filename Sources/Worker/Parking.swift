package import Jobs
import Logging
import Volume

/// Requests that are begun only once somebody has approved them.
///
/// What was approved is tied to the digests of the request and of the job.json, so neither can be exchanged under the approval;
/// a job.json that was has the request wait again. The approval goes into the claim with the request, so that whoever takes
/// the job over does not ask again.
extension Worker {
  /// Whether a request may be begun, as far as approval goes.
  enum Clearance {
    case cleared
    /// It needs an approval; why that which it has does not hold, if it has one.
    case awaited(String?)
  }

  /// Whether the request may be begun with what the job.json says.
  func clearance(_ envelope: Envelope, _ reading: DefinitionReading) -> Clearance {
    guard let approval = envelope.approval else {
      return isApprovalDemanded(reading.definition) && !isDryRun ? .awaited(nil) : .cleared
    }
    guard approval.requestDigest == envelope.digest else {
      return .awaited("the request is not the one that was approved \(approval.circumstances)")
    }
    guard approval.definitionDigest == reading.digest else {
      return .awaited("job.json is not as it was when it was approved \(approval.circumstances)")
    }
    // Who refused it was heard before.
    return approval.decision == .approved ? .cleared : .awaited(nil)
  }

  /// A dry run is for the user who started it.
  func noteDryRun(_ plan: JobPlan) {
    guard isDryRun, isApprovalDemanded(plan.definition) else { return }
    logger.notice("the request would wait for approval; a dry run runs it", metadata: ["job": "\(plan.request.id)"])
  }

  private var isDryRun: Bool { ledger.filter == nil }

  private func isApprovalDemanded(_ definition: JobDefinition) -> Bool {
    settings.approval == .always || definition.requiresApproval
  }

  /// Throws ``Uncleared`` when the request may not be begun.
  func checkClearance(_ envelope: Envelope, _ reading: DefinitionReading) throws {
    if case .awaited(let why) = clearance(envelope, reading) { throw Uncleared(why: why) }
  }

  /// Why a job that was begun is not gone on with.
  func unapproved(_ id: JobID, _ why: String?) -> InvalidInput {
    InvalidInput(
      id: id, description: "\(why ?? "the job needs an approval, and the request has none"); send the request again")
  }

  /// Why a request is not run that somebody refused.
  package func refusal(of envelope: Envelope, _ id: JobID) -> InvalidInput? {
    guard let approval = envelope.approval, approval.decision == .rejected, approval.requestDigest == envelope.digest
    else { return nil }
    return InvalidInput(
      id: id, description: "the request waited for approval, and was rejected \(approval.circumstances)")
  }

  /// Puts a request that arrived down until it is approved, durably.
  func park(_ offer: JobOffer, _ why: String?) async throws {
    let (id, key) = (offer.request.id, offer.request.signature?.keyID)
    if try !isParked(offer.envelope, id) {
      try noteParked(offer.envelope, id, why, signedBy: key)
      try ledger.parkingRoom.putWhole(offer.envelope, id)
      TestStopPoint.parked.reached()
    }
    await tellParked(offer.envelope, id, why)
  }

  /// The same for one that a busy worker put down, or whose approval does not hold. It is moved, so that of many workers that
  /// look at it one parks it, once.
  func park(_ ticket: DeferredRequest, _ why: String?, signedBy key: String?) async throws {
    if try isParked(ticket.envelope, ticket.id, besides: ticket) {
      _ = try ledger.waitingRoom.remove(ticket)
    } else {
      try noteParked(ticket.envelope, ticket.id, why, signedBy: key)
      guard try ledger.parkingRoom.admit(ticket) else { return }
      TestStopPoint.parked.reached()
    }
    await tellParked(ticket.envelope, ticket.id, why)
  }

  /// Answers a request that somebody refused. Who has its claim does it, so that a worker that dies over it has a successor.
  func refuse(_ ticket: DeferredRequest, _ refusal: InvalidInput) async throws {
    guard let claim = try ledger.claim(ticket.envelope, ticket.id) else { return }
    TestStopPoint.ticketClaimed.reached()
    guard try ledger.waitingRoom.remove(ticket) else {
      note(.dropped, claim)
      return try await release(claim)
    }
    try await reject(ticket.id, ticket.envelope, refusal)
    note(.dropped, claim)
    try await release(claim)
  }

  /// Whether the request waits for approval already, or has it and waits to be taken up.
  private func isParked(_ envelope: Envelope, _ id: JobID, besides ticket: DeferredRequest? = nil) throws -> Bool {
    // In this order: a request that is let go meanwhile is found in the second place.
    try !ledger.parkingRoom.tickets(of: envelope, id).isEmpty
      || ledger.waitingRoom.tickets(of: envelope, id).contains {
        $0.envelope.approval != nil && $0.path != ticket?.path
      }
  }

  /// Before it happens. Throws ``InvalidInput`` when there is no place for it.
  private func noteParked(_ envelope: Envelope, _ id: JobID, _ why: String?, signedBy key: String?) throws {
    guard try ledger.parkingRoom.count() < DeferredQueue.parkingSpaces else {
      throw InvalidInput(
        id: id, description: "\(DeferredQueue.parkingSpaces) requests wait for approval already; send it again later")
    }
    var entry = AuditEntry(.parked, id: id, of: envelope, signedBy: key)
    entry.error = why
    try ledger.audit.record(entry)
    // Whoever decides may be another user, in whose folders this worker could not remove anything.
    try DurableFile.makeFolder(ledger.waitingRoom.folder)
  }

  private func tellParked(_ envelope: Envelope, _ id: JobID, _ why: String?) async {
    logger.notice(
      "the request waits for approval\(why.map { ": \($0)" } ?? "")",
      metadata: ["job": "\(id)", "digest": "\(envelope.digest)"])
    var event = JobEvent(
      event: .awaitingApproval, id: id, requestId: envelope.requestId, workerId: ledger.worker.id.text, error: why)
    event.requestDigest = envelope.digest
    await source.publish(event)
  }
}

/// A request needs an approval that it has not; why the one that it has does not hold, if it has one.
struct Uncleared: Error {
  package let why: String?
}
