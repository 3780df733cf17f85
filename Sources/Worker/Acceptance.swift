package import Jobs
import Logging
import Steps
package import Volume

/// A job that this worker holds, and what is to be done about it.
package struct AcceptedJob: Sendable {
  package enum Work: Sendable {
    /// Run its steps.
    case run(JobPlan)
    /// Its worker died after the result was written: publish that.
    case publish(JobResult)
    /// Its worker died, and it is not begun again; why not, as words that follow "its worker died, and".
    case giveUp(JobFolder, String)
  }

  package let claim: Claim
  package let work: Work
  /// When its request was offered; `nil` for a job that was taken over, which may have been canceled between two lives.
  package var offered: ContinuousClock.Instant?

  /// A cancellation ends what is being worked on, not a request for the same job that is sent after it: an idle worker
  /// hears those that are meant for others, too.
  package func isMeant(by cancellation: Cancellation) -> Bool {
    cancellation.id == claim.record.id && offered.map { $0 <= cancellation.heard } ?? true
  }

  /// The place of a step of this attempt.
  package func place(step: Int? = nil) -> JobPlace {
    JobPlace(claim.record.id, attempt: claim.record.attempt, step: step)
  }

  package func event(_ name: JobEvent.Kind, _ worker: WorkerIdentity) -> JobEvent {
    JobEvent(
      event: name, id: claim.record.id, requestId: claim.record.envelope.requestId, workerId: worker.id.text,
      attempt: claim.record.attempt)
  }

  /// What is told when the result is out.
  package func ending(_ result: JobResult, _ worker: WorkerIdentity) -> JobEvent {
    var event = event(result.status == .rejected ? .rejected : .completed, worker)
    (event.status, event.exitCode) = (result.status.rawValue, result.exitCode)
    if result.status == .rejected { event.error = result.error }
    return event
  }
}

extension Worker {
  /// Waits for a job and claims it: first what the volume offers, then what arrives.
  func accept() async throws -> AcceptedJob? {
    let sweeper = Task(priority: .background) {
      // Not in the way of a job that waits already.
      try await Task.sleep(for: .milliseconds(100))
      while true {
        // What cannot be swept now is swept another time.
        try? ledger.sweep()
        try await Task.sleep(for: ledger.lease.duration)
      }
    }
    defer { sweeper.cancel() }
    while let offer = try await source.next() {
      // As PID 1 of a container this process inherits what others leave behind, also while no step runs.
      ProcessTree.reapOrphans()
      if case .request = offer { TestStopPoint.received.reached() }
      let job =
        switch offer {
        case .request(let offer): try await accept(offer)
        case .look: try await recover()
        }
      if let job {
        await source.publish(job.event(.accepted, ledger.worker))
        return job
      }
    }
    return nil
  }

  private func accept(_ offer: JobOffer) async throws -> AcceptedJob? {
    let id = offer.request.id
    if let stored = try answer(to: offer.envelope, id) { return try await answerAgain(offer, stored) }
    var offer = offer
    let plan: JobPlan
    do {
      do {
        plan = try await self.plan(for: offer.request, offer.envelope)
        guard !isLeaving else { return nil }
        if !offer.isCurrent() { offer.envelope.requestId = offer.envelope.requestId.asRedelivered }
      } catch let uncleared as Uncleared {
        guard !isLeaving else { return nil }
        if !offer.isCurrent() { offer.envelope.requestId = offer.envelope.requestId.asRedelivered }
        guard try ledger.claimFiles(of: id).isEmpty else { return try await alreadyHeld(offer) }
        try await park(offer, uncleared.why)
        await offer.acknowledge(.answered)
        return nil
      }
    } catch let invalid as InvalidInput {
      // It may only have been too early to find the folder.
      guard !isLeaving else { return nil }
      try await reject(id, offer.envelope, invalid, signedBy: offer.request.signature?.keyID)
      await offer.acknowledge(.answered)
      return nil
    }
    guard let claim = try ledger.claim(offer.envelope, id, signedBy: offer.request.signature?.keyID) else {
      return try await alreadyHeld(offer)
    }
    noteDryRun(plan)
    logger.debug("claimed", metadata: ["job": "\(id)"])
    TestStopPoint.claimed.reached()
    // Its holder may have finished since the first look; and so may another worker to which the broker has sent the request
    // again, if the connection that brought it is gone.
    if !offer.isCurrent() { offer.envelope.requestId = offer.envelope.requestId.asRedelivered }
    if let stored = try answer(to: offer.envelope, id) {
      note(.dropped, claim)
      try await release(claim)
      return try await answerAgain(offer, stored)
    }
    guard try await begin(offer.request, claim) else {
      await offer.acknowledge(.answered)
      return nil
    }
    if offer.envelope.requestId.mayRepeat { try removeTickets(of: offer.envelope, id) }
    await offer.acknowledge(.claimed)
    TestStopPoint.acknowledged.reached()
    return AcceptedJob(claim: claim, work: .run(plan), offered: offer.moment)
  }

  /// A worker that is asked to stop claims nothing more: a request that it does not acknowledge stays where it came from.
  package var isLeaving: Bool { stop.level > .none }

  /// Notes that a signed request is begun. One that was begun before is answered as rejected, and its claim let go: `false`.
  package func begin(_ request: JobRequest, _ claim: Claim) async throws -> Bool {
    guard let earlier = try ledger.seen.begin(request, claim.record) else {
      TestStopPoint.begun.reached()
      return true
    }
    let invalid = InvalidInput(
      id: request.id,
      description: "the request \(earlier.requestId.quoted) (\"jti\") was begun at \(earlier.begun) for the job "
        + "\(earlier.id), and runs once only; sign a new one")
    try await reject(request.id, claim.record.envelope, invalid, signedBy: request.signature?.keyID)
    note(.dropped, claim)
    try await release(claim)
    return false
  }

  private func answerAgain(_ offer: JobOffer, _ stored: JobResult) async throws -> AcceptedJob? {
    try await answerAgain(offer.envelope, stored, signedBy: offer.request.signature?.keyID)
    await offer.acknowledge(.answered)
    return nil
  }

  func answerAgain(_ envelope: Envelope, _ stored: JobResult, signedBy key: String?) async throws {
    logger.info("the request was answered before; publishing its result again", metadata: ["job": "\(stored.jobId)"])
    let message = ResultMessage(result: stored, tail: nil)
    do {
      try await publish(message, answering: envelope)
      try await withdrawUndelivered(stored.jobId)
    } catch let refusal as Undeliverable {
      var ending = JobEvent(
        event: .completed, id: stored.jobId, requestId: envelope.requestId, workerId: ledger.worker.id.text,
        attempt: stored.attempt)
      (ending.status, ending.exitCode) = (stored.status.rawValue, stored.exitCode)
      return try putAside(message, of: stored.jobId, answering: envelope, ending: ending, refusal)
    }
    var entry = AuditEntry(.answered, id: stored.jobId, of: envelope, signedBy: key)
    (entry.status, entry.attempt) = (stored.status.rawValue, stored.attempt)
    ledger.audit.note(entry, logger)
  }

  package func reject(
    _ id: JobID, _ envelope: Envelope, _ reason: InvalidInput, signedBy key: String? = nil
  ) async throws {
    logger.warning("rejected: \(reason)", metadata: ["job": "\(id)"])
    var entry = AuditEntry(.rejected, id: id, of: envelope, signedBy: key)
    entry.error = reason.description
    ledger.audit.note(entry, logger)
    let worker = ledger.worker.id.text
    do {
      try await publish(
        ResultMessage.rejected(
          id: id, requestId: envelope.requestId, error: reason.description, workerID: worker), answering: envelope)
    } catch let refusal as Undeliverable {
      // There is no result to keep, and the request must not come again and again.
      logger.warning("the rejection cannot be published: \(refusal)", metadata: ["job": "\(id)"])
    }
    await source.publish(
      JobEvent(
        event: .rejected, id: id, requestId: envelope.requestId, workerId: worker, error: reason.description))
  }

  /// Somebody holds the job: it is being worked on, or its worker died and the job is taken over here and now. A claim that
  /// is not whole may be one that its writer died over, and says nothing of this request: that is waited for.
  private func alreadyHeld(_ offer: JobOffer) async throws -> AcceptedJob? {
    let id = offer.request.id
    let abandoned = try ledger.abandonedClaims().first { $0.id == id }
    let job = if let abandoned { try await takeOver(abandoned) } else { nil as AcceptedJob? }
    guard !isLeaving || job != nil else { return nil }
    guard let holder = try job.map({ $0.claim.record }) ?? ledger.claimFiles(of: id).last?.record else {
      var offer = offer
      offer.turns += 1
      if ledger.filter != nil, offer.turns > 100 {
        // Something that nobody can move lies in the claim's place: the request waits for that, and other jobs do not.
        try ledger.waitingRoom.put(offer.envelope, id)
        await offer.acknowledge(.answered)
        return nil
      }
      try await Task.sleep(for: .milliseconds(50))
      return try await accept(offer)
    }
    if !offer.envelope.requestId.isSame(as: holder.envelope.requestId.text) {
      logger.notice("the job is being worked on already", metadata: ["job": "\(id)"])
      ledger.audit.note(
        AuditEntry(.duplicate, id: id, of: offer.envelope, signedBy: offer.request.signature?.keyID), logger)
      await source.publish(
        JobEvent(
          event: .duplicate, id: id, requestId: offer.envelope.requestId, workerId: ledger.worker.id.text))
    }
    await offer.acknowledge(job == nil ? .answered : .claimed)
    return job
  }

  /// The result that bears the request already. A claim that does says nothing: its holder may not have looked at the
  /// ticket yet, and takes its absence for the job's end.
  package func answer(to envelope: Envelope, _ id: JobID) throws -> JobResult? {
    guard let stored = try ledger.storedResult(of: id), envelope.requestId.isSame(as: stored.requestId) else {
      return nil
    }
    return stored
  }

  /// A message that is sent again may lie on the volume, too. Who holds its job may take it away from there.
  func removeTickets(of envelope: Envelope, _ id: JobID) throws {
    for room in [ledger.waitingRoom, ledger.parkingRoom] {
      for ticket in try room.tickets(of: envelope, id) { _ = try room.remove(ticket) }
    }
  }

  /// Finds what the request asks for. A folder that is not there may be one that a network volume does not show yet.
  ///
  /// Throws ``Uncleared`` when it may not be begun: before a folder is made for it, so that it leaves nothing.
  package func plan(for request: JobRequest, _ envelope: Envelope) async throws -> JobPlan {
    if request.source == nil, request.steps != nil {
      if envelope.approval == nil, let own = JobDefinition(request: request), !ledger.directory.exists(request.id) {
        try checkClearance(envelope, DefinitionReading(definition: own))
      }
      try JobFolder.make(request.id, in: ledger.directory)
    } else {
      let deadline = ContinuousClock.now + settings.folderPatience
      while !ledger.directory.exists(request.id), ContinuousClock.now < deadline, stop.level == .none {
        try await Task.sleep(for: .milliseconds(100))
      }
    }
    let plan: JobPlan
    do {
      plan = try JobPlan(request, try JobFolder.open(request.id, in: ledger.directory))
    } catch {
      // The request stays where it is, for when the volume can be read.
      guard let fault = error.fault else { throw error }
      throw VolumeError("reading the job in", ledger.directory.folder(of: request.id), fault)
    }
    try checkClearance(envelope, plan.reading)
    return plan
  }
}
