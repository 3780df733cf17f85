import SystemPackage

/// A job that this worker holds, and what is to be done about it.
struct AcceptedJob: Sendable {
  enum Work: Sendable {
    /// Run its steps.
    case run(JobDefinition, JobFolder)
    /// Its worker died after the result was written: publish that.
    case publish(JobResult)
    /// Its worker died, and no attempt is left.
    case giveUp(JobFolder)
  }

  let claim: Claim
  let work: Work

  func event(_ name: JobEvent.Kind, _ worker: WorkerIdentity) -> JobEvent {
    JobEvent(name, id: claim.record.id, workerID: worker.id.text, attempt: claim.record.attempt)
  }
}

extension Worker {
  /// Waits for a job and claims it: first what the volume offers, then what arrives.
  func accept() async throws -> AcceptedJob? {
    while let offer = try await source.next() {
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
    Checkpoint.received.reached()
    if let stored = try storedResult(of: id), offer.envelope.requestId.isSame(as: stored.requestId) {
      logger.info("the request was answered before; publishing its result again", metadata: ["job": "\(id)"])
      try await source.publish(ResultMessage(result: stored, tail: nil), answering: offer.envelope)
      await offer.acknowledge()
      return nil
    }
    let definition: JobDefinition
    let folder: JobFolder
    do {
      (definition, folder) = try await look(up: offer.request)
    } catch let invalid as InvalidJob {
      return try await reject(offer, invalid)
    }
    guard let claim = try ledger.claim(offer.envelope, id) else { return try await alreadyHeld(offer) }
    Checkpoint.claimed.reached()
    await offer.acknowledge()
    Checkpoint.acknowledged.reached()
    return AcceptedJob(claim: claim, work: .run(definition, folder))
  }

  private func reject(_ offer: JobOffer, _ reason: InvalidJob) async throws -> AcceptedJob? {
    logger.warning("rejected: \(reason)", metadata: ["job": "\(offer.request.id)"])
    let message = ResultMessage.rejected(
      id: offer.request.id, error: reason.description, workerID: ledger.worker.id.text)
    try await source.publish(message, answering: offer.envelope)
    await offer.acknowledge()
    return nil
  }

  /// Somebody holds the job: it is being worked on, or its worker died and the job is taken over here and now.
  private func alreadyHeld(_ offer: JobOffer) async throws -> AcceptedJob? {
    let id = offer.request.id
    let holder = try ledger.abandonedClaims().first { $0.id == id }
    let job = if let holder { try await takeOver(holder) } else { nil as AcceptedJob? }
    if holder?.record.map({ offer.envelope.requestId.isSame(as: $0.envelope.requestId.text) }) != true {
      logger.notice("the job is being worked on already", metadata: ["job": "\(id)"])
      await source.publish(JobEvent(.duplicate, id: id, workerID: ledger.worker.id.text))
    }
    await offer.acknowledge()
    return job
  }

  /// Takes over the job of a worker that died, if there is one.
  private func recover() async throws -> AcceptedJob? {
    for stale in try ledger.abandonedClaims() {
      if let job = try await takeOver(stale) { return job }
    }
    return nil
  }

  private func takeOver(_ stale: ClaimFile) async throws -> AcceptedJob? {
    guard let record = stale.record else {
      // Its writer died before it was whole, so the message was never acknowledged, and comes again.
      try DurableFile.remove(stale.path)
      return nil
    }
    guard let claim = try ledger.takeOver(stale, record.envelope) else { return nil }
    logger.notice(
      "worker \(record.worker) died over the job; taking it over",
      metadata: ["job": "\(record.id)", "attempt": "\(claim.record.attempt)"])
    let stored = try storedResult(of: record.id)
    if let stored, stored.attempt == record.attempt, record.envelope.requestId.text == stored.requestId {
      return AcceptedJob(claim: claim, work: .publish(stored))
    }
    do {
      let request = try JobRequest(payload: Array(record.envelope.payload.utf8))
      let (definition, folder) = try await look(up: request)
      let attempts = definition.maxAttempts ?? settings.maxAttempts
      return AcceptedJob(
        claim: claim, work: claim.record.attempt > attempts ? .giveUp(folder) : .run(definition, folder))
    } catch let invalid as InvalidJob {
      // The folder was taken away, or job.json changed, while nobody held the job.
      let message = ResultMessage.rejected(
        id: record.id, error: invalid.description, workerID: ledger.worker.id.text)
      try await source.publish(message, answering: record.envelope)
      try ledger.release(claim)
      return nil
    }
  }

  private func storedResult(of id: JobID) throws -> JobResult? {
    try? JobFolder.open(id, in: ledger.directory).storedResult()
  }

  /// Finds what the request asks for. A folder that is not there may be one that a network volume does not show yet.
  private func look(up request: JobRequest) async throws -> (JobDefinition, JobFolder) {
    if let definition = JobDefinition(request: request) {
      try JobFolder.make(request.id, in: ledger.directory)
      let folder = try JobFolder.open(request.id, in: ledger.directory)
      let stored = try? folder.definition()
      return (stored?.overlaid(with: request) ?? definition, folder)
    }
    let deadline = ContinuousClock.now + settings.folderPatience
    while true {
      do {
        let folder = try JobFolder.open(request.id, in: ledger.directory)
        return (try folder.definition().overlaid(with: request), folder)
      } catch  where ContinuousClock.now < deadline && !ledger.directory.exists(request.id) && stop.level == .none {
        try await Task.sleep(for: .milliseconds(100))
      }
    }
  }
}
