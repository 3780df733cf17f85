import Jobs
import Logging
import Signing
import Steps
import SystemPackage
import Volume

/// Decides whether a request becomes this worker's job. The checks have the same order for all three origins of a
/// request.
struct Admission: Sendable {
  let ledger: Ledger
  let state: WorkerState
  let settings: WorkerSettings
  let stop: StopRequest
  let gate: ApprovalGate
  let fence: ClaimFence
  let outbox: Outbox
  let logger: Logger

  /// The decision about a request.
  enum Outcome {
    case accepted(AcceptedJob)
    /// There is no job: the request is settled, or stays where it is.
    case noJob
    /// The holder of the job cannot be read now: look again in a moment.
    case again
  }

  /// Judges all that does not need the job's claim, then claims the job, and judges the rest. A request that is not
  /// settled stays where it came from, so a kill at any point loses nothing.
  func admit(_ arrived: Request) async throws -> Outcome {
    var request = arrived
    // 1. An answered request gets the stored result again.
    if let stored = try answer(to: request), !request.isAbandoned { return try await answerAgain(request, stored) }
    // 2. A deferred request stays on the volume while a living worker holds its job.
    if case .deferred = request.origin, try ledger.isHeld(request.id) { return .noJob }
    // 3. Is the request for this worker, valid and approved?
    var verdict = try await judge(request)
    if isStopping || verdict.isForOthers { return .noJob }
    request.noteConnection()
    // 4. These need no claim: a request that waits for approval, and an invalid delivery, which the broker keeps until
    // it is settled.
    if let outcome = try await settleUnclaimed(request, &verdict) { return outcome }
    // 5. The claim decides.
    guard let claim = try claim(request) else { return try await meetHolder(of: request) }
    request.noteConnection()
    // 6. The holder of an earlier claim may have answered since step 1.
    if let stored = try answer(to: request) { return try await settleAnswered(request, stored, claim) }
    if try isOutrun(request) { return try await settleOutrun(request, claim) }
    // 7. 'prune' may have removed the folder between the verdict and the claim; from here on it does not.
    guard verdict.isInPlace(in: ledger.directory) else {
      try await fence.drop(claim)
      return .again
    }
    // 8. The job is now this worker's: remove the request from the volume. If another worker removed it, it is
    // settled.
    guard try takeAway(request) else {
      try await fence.drop(claim)
      return .noJob
    }
    do {
      let plan = try verdict.plan(request.id)
      // 9. A signed request may begin only once.
      try begin(request, claim)
      var job = try job(request, claim, plan)
      if let mark = try cancelMark(of: request, claim) { job.work = .cancel(plan, by: mark.by) }
      // 10. The worker is busy before it sends the PUBACK: the PUBACK lets the broker send the next request, and that
      // one is not for a worker with a job.
      state.begin(job.place())
      await request.acknowledge()
      if case .delivery = request.origin { TestStopPoint.acknowledged.reached() }
      return .accepted(job)
    } catch let invalid as InvalidInput {
      try await outbox.reject(request, invalid)
      try await fence.drop(claim)
      await request.acknowledge()
      return .noJob
    }
  }

  /// A worker that cannot see whether the job is canceled has not begun it.
  private func cancelMark(of request: Request, _ claim: Claim) throws(VolumeError) -> CancelMark? {
    do throws(VolumeError) {
      return try ledger.serving(request.filter).cancelMark(of: request.envelope, request.id)
    } catch {
      claim.noteUnbegun()
      throw error
    }
  }

  /// A worker that was asked to stop claims nothing more.
  private var isStopping: Bool { stop.level > .none }

  // MARK: Settled without a claim

  /// Parks an unapproved request, or rejects an invalid delivery: neither needs a claim. `nil` for every other request.
  /// A request is invalid if there is no room to park it.
  private func settleUnclaimed(_ request: Request, _ verdict: inout Verdict) async throws -> Outcome? {
    if case .unapproved(let unapproved) = verdict, !request.isAbandoned {
      if case .delivery = request.origin, try !ledger.claimFiles(of: request.id).isEmpty {
        return try await meetHolder(of: request)
      }
      do {
        try await gate.park(request, unapproved.why)
        await request.acknowledge()
        return Outcome.noJob
      } catch let invalid as InvalidInput {
        verdict = .invalid(invalid)
      }
    }
    guard case .invalid(let reason) = verdict, case .delivery = request.origin else { return nil }
    try await outbox.reject(request, reason)
    await request.acknowledge()
    return Outcome.noJob
  }

  // MARK: Claimed

  /// Claims the job of a request; `nil` if another worker holds it or claimed it first.
  private func claim(_ request: Request) throws -> Claim? {
    let ledger = ledger.serving(request.filter)
    let metadata: Logger.Metadata = ["job": "\(request.id)"]
    switch request.origin {
    case .delivery:
      guard let claim = try ledger.claim(request.envelope, request.id, signedBy: request.keyID) else { return nil }
      logger.debug("claimed", metadata: metadata)
      TestStopPoint.claimed.reached()
      return claim
    case .deferred:
      guard let claim = try ledger.claim(request.envelope, request.id, signedBy: request.keyID) else { return nil }
      logger.debug("taking up the deferred request", metadata: metadata)
      TestStopPoint.deferredRequestClaimed.reached()
      return claim
    case .abandoned(let abandoned):
      guard let claim = try ledger.takeOver(abandoned, request.envelope, signedBy: request.keyID) else { return nil }
      let end = abandoned.record?.attempt == 0 ? "had no room to begin" : "died while running"
      logger.notice(
        "worker \(abandoned.record?.worker ?? "") \(end) the job; taking it over",
        metadata: ["job": "\(request.id)", "attempt": "\(claim.record.attempt)"])
      return claim
    }
  }

  /// Removes a claimed request from the volume. `false` if another worker removed it before: then its job is done.
  private func takeAway(_ request: Request) throws -> Bool {
    switch request.origin {
    case .deferred(let deferred): return try ledger.deferredQueue.remove(deferred)
    case .delivery:
      // The broker may have sent the request before, to a worker that deferred it.
      if request.envelope.requestId.mayRepeat { try removeDeferred(of: request) }
    case .abandoned:
      // The worker may have died after its claim and before it removed the request.
      try removeDeferred(of: request)
    }
    return true
  }

  func removeDeferred(of request: Request) throws {
    let ledger = ledger.serving(request.filter)
    for queue in [ledger.deferredQueue, ledger.parkedQueue] {
      for deferred in try queue.requests(of: request.envelope, request.id) { _ = try queue.remove(deferred) }
    }
  }

  /// Records that a signed request has begun. Throws ``InvalidInput`` if it began before.
  private func begin(_ request: Request, _ claim: Claim) throws {
    guard let earlier = try ledger.seen.begin(try request.content.get(), claim.record) else {
      TestStopPoint.begun.reached()
      return
    }
    throw InvalidInput(
      id: request.id,
      description: "the request \(earlier.requestId.quoted) (\"jti\") was begun at \(earlier.begun) for the job "
        + "\(earlier.id), and runs once only; sign a new one")
  }

  private func job(_ request: Request, _ claim: Claim, _ plan: JobPlan) throws -> AcceptedJob {
    gate.noteDryRun(request.id, plan.definition)
    // A job may have been canceled while its worker died: the worker had the grace to end it, and then its claim expired.
    let lapse = settings.grace + ledger.leaseDuration * 2
    var job = AcceptedJob(claim: claim, work: .run(plan), cancelableSince: request.moment ?? .now - lapse)
    guard request.isAbandoned else { return job }
    job.unbegun = try ledger.directory.unbegunAttempts(of: request.id)
    if job.count > plan.definition.maxAttempts ?? settings.maxAttempts {
      job.work = .giveUp(plan.folder, "no attempt is left")
    } else if let expiry = Self.expiry(of: plan.request) {
      job.work = .giveUp(plan.folder, "it may not be begun again: \(expiry)")
    }
    return job
  }

  // MARK: Held

  /// Settles a delivery whose job another worker holds. If that worker died, this one takes the job over at once.
  private func meetHolder(of request: Request) async throws -> Outcome {
    guard case .delivery = request.origin else { return .noJob }
    var job: AcceptedJob?
    if let abandoned = try ledger.abandonedClaims(among: [request.id]).first {
      if case .accepted(let taken) = try await takeOver(abandoned) {
        job = taken
      } else if !isStopping, try !ledger.abandonedClaims(among: [request.id]).isEmpty {
        // Something keeps the dead worker's job from being taken over: nobody works on it.
        return .again
      }
    }
    if isStopping, job == nil { return .noJob }
    let claims = try ledger.claimFiles(of: request.id)
    guard let holder = job?.claim.record ?? claims.last?.record else { return .again }
    // The request runs after the dry run.
    if claims.last?.isOfDryRun == true, ledger.filter != nil {
      logger.info(
        "a dry run has the job: the request waits until that ends",
        metadata: ["job": "\(request.id)", "by": "\(holder.worker)"])
      try await deferBehindOthers(request)
      return .noJob
    }
    if !request.envelope.requestId.isSame(as: holder.envelope.requestId.text) { await outbox.tellDuplicate(request) }
    await request.acknowledge()
    return job.map { .accepted($0) } ?? .noJob
  }

  private func takeOver(_ abandoned: ClaimFile) async throws -> Outcome {
    guard let request = Request(abandoned, settings.reader) else {
      // The holder died while it wrote the claim. It had not acknowledged the delivery, so the broker sends it again.
      try abandoned.file.remove()
      return .noJob
    }
    return try await admit(request)
  }
}

extension Admission {
  /// Admits a request that has arrived.
  func admit(_ offer: JobOffer) async throws -> AcceptedJob? {
    for _ in 0..<Self.mostTurns {
      switch try await admit(Request(offer)) {
      case .accepted(let job): return job
      case .noJob: return nil
      case .again: try await Task.sleep(for: .milliseconds(50))
      }
    }
    guard ledger.filter != nil else { throw VolumeError("claiming a job in", ledger.directory.claims, .fileExists) }
    // Something that no worker can move lies in the claim's place.
    try await deferBehindOthers(Request(offer))
    return nil
  }

  /// Defers a delivery, so that other jobs go ahead of it.
  private func deferBehindOthers(_ arrived: Request) async throws {
    var request = arrived
    request.noteConnection()
    try ledger.deferRequest(
      request.envelope, request.id, signedBy: request.keyID, for: request.filter ?? ledger.filter ?? ""
    ) { arrived.isCurrent }
    await request.acknowledge()
  }

  private static var mostTurns: Int { 100 }

  /// Admits what waits on the volume for an idle worker of `filter`: first the `abandoned` jobs of workers that died, then
  /// deferred requests, oldest first. Tells others if there may be more.
  func admitWaiting(for filter: String, _ abandoned: [ClaimFile] = []) async throws -> AcceptedJob? {
    let ledger = ledger.serving(filter)
    for claim in abandoned where !isStopping {
      guard case .accepted(let job) = try await takeOver(claim) else { continue }
      outbox.tellWaiting(filter)
      return job
    }
    try ledger.approvals.finish(of: filter)
    try ledger.parkedQueue.removeBlanks()
    let names = try ledger.deferredQueue.names()
    for name in names where !isStopping {
      guard let deferred = try ledger.deferredQueue.request(named: name) else { continue }
      guard case .accepted(let job) = try await admit(Request(deferred, for: filter, settings.reader)) else { continue }
      if name != names.last { outbox.tellWaiting(filter) }
      return job
    }
    return nil
  }
}
