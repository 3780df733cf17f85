import Logging

/// A job that this worker holds, and what is to be done about it.
struct AcceptedJob: Sendable {
  enum Work: Sendable {
    /// Run its steps.
    case run(JobPlan)
    /// Its worker died after the result was written: publish that.
    case publish(JobResult)
    /// Its worker died, and it is not begun again; why not, as words that follow "its worker died, and".
    case giveUp(JobFolder, String)
  }

  let claim: Claim
  let work: Work
  /// When its request was offered; `nil` for a job that was taken over, which may have been canceled between two lives.
  var offered: ContinuousClock.Instant?

  /// A cancellation ends what is being worked on, not a request for the same job that is sent after it: an idle worker
  /// hears those that are meant for others, too.
  func isMeant(by cancellation: Cancellation) -> Bool {
    cancellation.id == claim.record.id && offered.map { $0 <= cancellation.heard } ?? true
  }

  /// The place of a step of this attempt.
  func place(step: Int? = nil) -> JobPlace {
    JobPlace(claim.record.id, attempt: claim.record.attempt, step: step)
  }

  func event(_ name: JobEvent.Kind, _ worker: WorkerIdentity) -> JobEvent {
    JobEvent(
      event: name, id: claim.record.id, requestId: claim.record.envelope.requestId, workerId: worker.id.text,
      attempt: claim.record.attempt)
  }

  /// What is told when the result is out.
  func ending(_ result: JobResult, _ worker: WorkerIdentity) -> JobEvent {
    var event = event(result.status == .rejected ? .rejected : .completed, worker)
    if result.status == .rejected { event.error = result.error }
    return event
  }
}

extension Worker {
  /// Waits for a job and claims it: first what the volume offers, then what arrives.
  func accept() async throws -> AcceptedJob? {
    while let offer = try await source.next() {
      // As PID 1 of a container this process inherits what others leave behind, also while no step runs.
      ProcessTree.reapOrphans()
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
    let now = ContinuousClock.now
    Checkpoint.received.reached()
    if let stored = try answer(to: offer.envelope, id) { return try await answerAgain(offer, stored) }
    let plan: JobPlan
    do {
      plan = try await self.plan(for: offer.request)
    } catch let invalid as InvalidJob {
      // It may only have been too early to find the folder.
      guard !isLeaving else { return nil }
      try await reject(id, offer.envelope, invalid)
      await offer.acknowledge(.answered)
      return nil
    }
    guard !isLeaving else { return nil }
    guard let claim = try ledger.claim(offer.envelope, id, signedBy: offer.request.signature?.keyID) else {
      return try await alreadyHeld(offer)
    }
    logger.debug("claimed", metadata: ["job": "\(id)"])
    Checkpoint.claimed.reached()
    // Its holder may have finished since the first look.
    if let stored = try answer(to: offer.envelope, id) {
      note(.dropped, claim)
      try ledger.release(claim)
      return try await answerAgain(offer, stored)
    }
    guard try await begin(offer.request, claim) else {
      await offer.acknowledge(.answered)
      return nil
    }
    try removeTickets(of: offer.envelope)
    await offer.acknowledge(.claimed)
    Checkpoint.acknowledged.reached()
    return AcceptedJob(claim: claim, work: .run(plan), offered: now)
  }

  /// A worker that is asked to stop claims nothing more: a request that it does not acknowledge stays where it came from.
  private var isLeaving: Bool { stop.level > .none }

  /// Notes that a signed request is begun. One that was begun before is answered as rejected, and its claim let go: `false`.
  private func begin(_ request: JobRequest, _ claim: Claim) async throws -> Bool {
    guard let earlier = try ledger.seen.begin(request, claim.record) else {
      Checkpoint.begun.reached()
      return true
    }
    let invalid = InvalidJob(
      id: request.id,
      description: "the request \(earlier.requestId.quoted) (\"jti\") was begun at \(earlier.begun) for the job "
        + "\(earlier.id), and runs once only; sign a new one")
    try await reject(request.id, claim.record.envelope, invalid)
    try ledger.release(claim)
    return false
  }

  private func answerAgain(_ offer: JobOffer, _ stored: JobResult) async throws -> AcceptedJob? {
    logger.info(
      "the request was answered before; publishing its result again", metadata: ["job": "\(offer.request.id)"])
    try await publish(ResultMessage(result: stored, tail: nil), answering: offer.envelope)
    var entry = AuditEntry(.answered, id: offer.request.id, of: offer.envelope)
    (entry.status, entry.attempt) = (stored.status.rawValue, stored.attempt)
    ledger.audit.note(entry, logger)
    await offer.acknowledge(.answered)
    return nil
  }

  private func reject(_ id: JobID, _ envelope: Envelope, _ reason: InvalidJob) async throws {
    logger.warning("rejected: \(reason)", metadata: ["job": "\(id)"])
    var entry = AuditEntry(.rejected, id: id, of: envelope)
    entry.error = reason.description
    ledger.audit.note(entry, logger)
    let worker = ledger.worker.id.text
    try await publish(
      ResultMessage.rejected(
        id: id, requestId: envelope.requestId, error: reason.description, workerID: worker), answering: envelope)
    await source.publish(
      JobEvent(
        event: .rejected, id: id, requestId: envelope.requestId, workerId: worker, error: reason.description))
  }

  /// Somebody holds the job: it is being worked on, or its worker died and the job is taken over here and now.
  private func alreadyHeld(_ offer: JobOffer) async throws -> AcceptedJob? {
    let id = offer.request.id
    let holder = try ledger.abandonedClaims().first { $0.id == id }
    let job = if let holder { try await takeOver(holder) } else { nil as AcceptedJob? }
    if holder?.record.map({ offer.envelope.requestId.isSame(as: $0.envelope.requestId.text) }) != true {
      logger.notice("the job is being worked on already", metadata: ["job": "\(id)"])
      ledger.audit.note(AuditEntry(.duplicate, id: id, of: offer.envelope), logger)
      await source.publish(
        JobEvent(
          event: .duplicate, id: id, requestId: offer.envelope.requestId, workerId: ledger.worker.id.text))
    }
    await offer.acknowledge(job == nil ? .answered : .claimed)
    return job
  }

  /// Takes over the job of a worker that died, if there is one.
  private func recover() async throws -> AcceptedJob? {
    for stale in try ledger.abandonedClaims() where !isLeaving {
      if let job = try await takeOver(stale) { return job }
    }
    for ticket in try ledger.waitingRoom.tickets() where !isLeaving {
      if let job = try await take(ticket) { return job }
    }
    return nil
  }

  /// Takes a request up that a busy worker put down. The claim decides; the ticket is removed after it.
  private func take(_ ticket: Ticket) async throws -> AcceptedJob? {
    let room = ledger.waitingRoom
    guard try answer(to: ticket.envelope, ticket.id) == nil else {
      logger.debug("its request was answered before: removing its ticket", metadata: ["job": "\(ticket.id)"])
      _ = try room.remove(ticket)
      return nil
    }
    guard try !ledger.isHeld(ticket.id) else { return nil }
    let request: JobRequest
    let plan: JobPlan
    do {
      request = try self.request(in: ticket.envelope, of: ticket.id)
      try request.signature?.check(at: .now, ticket.id)
      guard settings.reader.isMeantForThisWorker(request) else { return nil }
      plan = try await self.plan(for: request)
    } catch let invalid as InvalidJob {
      if !isLeaving, try room.remove(ticket) { try await reject(ticket.id, ticket.envelope, invalid) }
      return nil
    }
    guard let claim = try ledger.claim(ticket.envelope, ticket.id, signedBy: request.signature?.keyID) else {
      return nil
    }
    logger.debug("taking up its ticket", metadata: ["job": "\(ticket.id)"])
    Checkpoint.ticketClaimed.reached()
    guard try room.remove(ticket), try answer(to: ticket.envelope, ticket.id) == nil else {
      // Another worker had claimed it before, or another ticket of the request, and its job is done by now.
      note(.dropped, claim)
      try ledger.release(claim)
      return nil
    }
    guard try await begin(request, claim) else { return nil }
    return AcceptedJob(claim: claim, work: .run(plan), offered: .now)
  }

  /// The request in an envelope that lies on the volume, where anybody may have put it: what names it must be what it says.
  private func request(in envelope: Envelope, of id: JobID) throws(InvalidJob) -> JobRequest {
    let request = try settings.reader.read(Array(envelope.payload.utf8))
    guard request.id == id, request.signature == nil || request.requestID == envelope.requestId.text else {
      throw InvalidJob(id: id, description: "the request that lies on the volume for \(id) is another's; send it again")
    }
    return request
  }

  /// The result that bears the request already. A claim that does says nothing: its holder may not have looked at the
  /// ticket yet, and takes its absence for the job's end.
  private func answer(to envelope: Envelope, _ id: JobID) throws -> JobResult? {
    guard let stored = try storedResult(of: id), envelope.requestId.isSame(as: stored.requestId) else { return nil }
    return stored
  }

  /// A message that is sent again may lie in the waiting room, too. Who holds its job may take it away from there.
  private func removeTickets(of envelope: Envelope) throws {
    guard envelope.requestId.mayRepeat else { return }
    for ticket in try ledger.waitingRoom.tickets()
    where envelope.requestId.isSame(as: ticket.envelope.requestId.text) {
      _ = try ledger.waitingRoom.remove(ticket)
    }
  }

  private func takeOver(_ stale: ClaimFile) async throws -> AcceptedJob? {
    guard let record = stale.record else {
      // Its writer died before it was whole, so the message was never acknowledged, and comes again.
      try DurableFile.remove(stale.path)
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
    try removeTickets(of: record.envelope)
    // Of whichever attempt: those after it only published, and died over that.
    if let stored = try storedResult(of: record.id), stored.requestId == record.envelope.requestId.text {
      return AcceptedJob(claim: claim, work: .publish(stored))
    }
    do {
      let request = try reading.get()
      guard try await begin(request, claim) else { return nil }
      let plan = try await self.plan(for: request)
      return AcceptedJob(claim: claim, work: work(plan, claim))
    } catch let invalid as InvalidJob {
      // The folder was taken away, or job.json changed, while nobody held the job.
      try await reject(record.id, record.envelope, invalid)
      try ledger.release(claim)
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
  private func fault(of request: JobRequest) -> InvalidJob? {
    do throws(InvalidJob) {
      try request.signature?.check(at: .now, request.id)
      return nil
    } catch {
      return error
    }
  }

  private func storedResult(of id: JobID) throws -> JobResult? {
    try? JobFolder.open(id, in: ledger.directory).storedResult()
  }

  /// Finds what the request asks for. A folder that is not there may be one that a network volume does not show yet.
  private func plan(for request: JobRequest) async throws -> JobPlan {
    if request.source == nil, request.steps != nil {
      try JobFolder.make(request.id, in: ledger.directory)
    } else {
      let deadline = ContinuousClock.now + settings.folderPatience
      while !ledger.directory.exists(request.id), ContinuousClock.now < deadline, stop.level == .none {
        try await Task.sleep(for: .milliseconds(100))
      }
    }
    let folder = try JobFolder.open(request.id, in: ledger.directory)
    return try JobPlan(request, folder)
  }
}
