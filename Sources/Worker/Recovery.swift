import Jobs
import Logging
import Signing
package import Volume

/// What lies on the volume for a worker that has no job: jobs of workers that died, and requests that busy ones put down.
/// All of it is read as hostile: anybody who may write to the volume may have put it there.
extension Worker {
  /// Takes over the job of a worker that died, if there is one.
  package func recover() async throws -> AcceptedJob? {
    try redeliver()
    for stale in try ledger.abandonedClaims() where !isLeaving {
      if let job = try await takeOver(stale) { return job }
    }
    if let filter = ledger.filter { try ledger.approvals.finish(of: filter) }
    try ledger.parkingRoom.removeBlanks()
    for name in try ledger.waitingRoom.names() where !isLeaving {
      if let ticket = try ledger.waitingRoom.ticket(named: name), let job = try await take(ticket) { return job }
    }
    return nil
  }

  /// Takes a request up that a busy worker put down. The claim decides; the ticket is removed after it.
  private func take(_ ticket: DeferredRequest) async throws -> AcceptedJob? {
    let room = ledger.waitingRoom
    if let stored = try answer(to: ticket.envelope, ticket.id) {
      logger.debug("its request was answered before: removing its ticket", metadata: ["job": "\(ticket.id)"])
      // Who sends a request again with its key asks for the answer; the broker, which repeats a delivery, does not.
      if try room.remove(ticket), ticket.envelope.requestId.isSenders {
        try await answerAgain(ticket.envelope, stored, signedBy: nil)
      }
      return nil
    }
    guard try !ledger.isHeld(ticket.id) else { return nil }
    if let refusal = refusal(of: ticket.envelope, ticket.id) {
      try await refuse(ticket, refusal)
      return nil
    }
    let request: JobRequest
    let plan: JobPlan
    do {
      request = try self.request(in: ticket.envelope, of: ticket.id)
      try request.signature?.check(at: .now, ticket.id)
      guard settings.reader.isMeantForThisWorker(request) else { return nil }
      do {
        plan = try await self.plan(for: request, ticket.envelope)
      } catch let uncleared as Uncleared {
        try await park(ticket, uncleared.why, signedBy: request.signature?.keyID)
        return nil
      }
    } catch let invalid as InvalidInput {
      if !isLeaving, try room.remove(ticket) { try await reject(ticket.id, ticket.envelope, invalid) }
      return nil
    }
    let now = ContinuousClock.now
    guard let claim = try ledger.claim(ticket.envelope, ticket.id, signedBy: request.signature?.keyID) else {
      return nil
    }
    logger.debug("taking up its ticket", metadata: ["job": "\(ticket.id)"])
    TestStopPoint.ticketClaimed.reached()
    guard try room.remove(ticket), try answer(to: ticket.envelope, ticket.id) == nil else {
      // Another worker had claimed it before, or another ticket of the request, and its job is done by now.
      note(.dropped, claim)
      try await release(claim)
      return nil
    }
    guard try await begin(request, claim) else { return nil }
    return AcceptedJob(claim: claim, work: .run(plan), offered: now)
  }

  /// Takes a job over from a worker that does not touch its claim any more, if nobody else does.
  package func takeOver(_ stale: ClaimFile) async throws -> AcceptedJob? {
    guard let record = stale.record else {
      // Its writer died before it was whole, so the message was never acknowledged, and comes again.
      try stale.file.remove()
      return nil
    }
    let reading = Result { try self.request(in: record.envelope, of: record.id) }
    // It waits for the return of the worker that it names, until it expires.
    if let request = try? reading.get(), !settings.reader.isMeantForThisWorker(request), fault(of: request) == nil {
      return nil
    }
    guard let claim = try ledger.takeOver(stale, record.envelope, signedBy: try? reading.get().signature?.keyID) else {
      return nil
    }
    logger.notice(
      "worker \(record.worker) died over the job; taking it over",
      metadata: ["job": "\(record.id)", "attempt": "\(claim.record.attempt)"])
    // It may have died between its claim and the removal of the ticket.
    try removeTickets(of: record.envelope, record.id)
    // Of whichever attempt: those after it only published, and died over that.
    if let stored = try ledger.storedResult(of: record.id), stored.requestId == record.envelope.requestId.text {
      return AcceptedJob(claim: claim, work: .publish(stored))
    }
    do {
      if let refusal = refusal(of: record.envelope, record.id) { throw refusal }
      let request = try reading.get()
      guard try await begin(request, claim) else { return nil }
      let plan: JobPlan
      do {
        plan = try await self.plan(for: request, record.envelope)
      } catch let uncleared as Uncleared {
        throw unapproved(record.id, uncleared.why)
      }
      return AcceptedJob(claim: claim, work: work(plan, claim))
    } catch let invalid as InvalidInput {
      // The folder was taken away, or job.json changed, while nobody held the job.
      try await reject(record.id, record.envelope, invalid, signedBy: try? reading.get().signature?.keyID)
      note(.dropped, claim)
      try await release(claim)
      return nil
    }
  }

  /// What is done about a job that was taken over: it is begun again, if it may be.
  private func work(_ plan: JobPlan, _ claim: Claim) -> AcceptedJob.Work {
    if claim.record.attempt > plan.definition.maxAttempts ?? settings.maxAttempts {
      return .giveUp(plan.folder, "no attempt is left")
    }
    if let invalid = fault(of: plan.request) { return .giveUp(plan.folder, "it may not be begun again: \(invalid)") }
    return .run(plan)
  }

  /// Why a signed request may not be begun now.
  private func fault(of request: JobRequest) -> InvalidInput? {
    do throws(InvalidInput) {
      try request.signature?.check(at: .now, request.id)
      return nil
    } catch {
      return error
    }
  }

  /// The request in an envelope that lies on the volume, where anybody may have put it: what names it must be what it says.
  private func request(in envelope: Envelope, of id: JobID) throws(InvalidInput) -> JobRequest {
    let request = try settings.reader.read(Array(envelope.payload.utf8))
    guard request.id == id, request.signature == nil || request.requestID == envelope.requestId.text else {
      throw InvalidInput(
        id: id, description: "the request that lies on the volume for \(id) is another's; send it again")
    }
    return request
  }
}
