import Jobs
import Logging
import Signing
import Steps
import SystemPackage
import Volume

/// Decides whether a request becomes this worker's job: one order for requests of all three origins.
struct Admission: Sendable {
  let ledger: Ledger
  let state: WorkerState
  let settings: WorkerSettings
  let stop: StopRequest
  let gate: ApprovalGate
  let fence: ClaimFence
  let outbox: Outbox
  let logger: Logger

  /// What a request comes to.
  enum Outcome {
    case accepted(AcceptedJob)
    /// It is settled, or stays where it is.
    case none
    /// The claim in its way belongs to nobody who can be read: look again in a moment.
    case again
  }

  /// Judges what may be judged without the job, claims it, and judges the rest. A request that is not settled stays where it came
  /// from, so a kill at any point loses nothing.
  func admit(_ arrived: Request) async throws -> Outcome {
    var request = arrived
    // 1. A request that has its answer gets it again.
    if let stored = try answer(to: request), !request.isAbandoned { return try await answerAgain(request, stored) }
    // 2. A job in living hands is not waited for.
    if case .deferred = request.origin, try ledger.isHeld(request.id) { return .none }
    // 3. Is it for this worker, is it valid, is it approved?
    var verdict = try await judge(request)
    if isStopping || verdict.isForOthers { return .none }
    request.noteConnection()
    // 4. A request that waits for approval needs no claim, nor does an invalid delivery, which the broker keeps until it is settled.
    if let outcome = try await settleUnclaimed(request, &verdict) { return outcome }
    // 5. The claim decides.
    guard let claim = try claim(request) else { return try await meetHolder(of: request) }
    request.noteConnection()
    // 6. The holder of an earlier claim may have answered since the first look.
    if let stored = try answer(to: request) { return try await settleAnswered(request, stored, claim) }
    // 7. It is nobody else's any more: it goes from where it came from, once.
    guard try takeAway(request) else {
      try await fence.drop(claim)
      return .none
    }
    do {
      let plan = try verdict.plan(request.id)
      // 8. A signed request is begun once.
      try begin(request, claim)
      let job = job(request, claim, plan)
      // 9. The worker is busy before the broker hears of it: what the PUBACK lets it send is not for a worker that has a job.
      state.begin(job.place())
      await request.acknowledge()
      if case .delivery = request.origin { TestStopPoint.acknowledged.reached() }
      return .accepted(job)
    } catch let invalid as InvalidInput {
      try await outbox.reject(request, invalid)
      try await fence.drop(claim)
      await request.acknowledge()
      return .none
    }
  }

  /// A worker that is asked to stop claims nothing more.
  private var isStopping: Bool { stop.level > .none }

  // MARK: Answered

  /// The stored result with the request's key, if there is one. A claim with the key is no answer: its holder may not have looked at the
  /// deferred request yet, and would take its absence for the job's end.
  private func answer(to request: Request) throws -> JobResult? {
    guard let stored = try ledger.storedResult(of: request.id) else { return nil }
    // The key in an abandoned claim was made by the worker that wrote the result.
    let key = request.envelope.requestId
    return (request.isAbandoned ? stored.requestId == key.text : key.isSame(as: stored.requestId)) ? stored : nil
  }

  private func answerAgain(_ request: Request, _ stored: JobResult) async throws -> Outcome {
    if case .deferred(let deferred) = request.origin {
      logger.debug("it was deferred, and answered before: removing its file", metadata: ["job": "\(request.id)"])
      // A sender that sends a request again with its key asks for the answer; the broker, which repeats a delivery, does not.
      guard try ledger.deferredQueue.remove(deferred), request.envelope.requestId.isSenders else { return .none }
    }
    try await outbox.answerAgain(request, stored)
    await request.acknowledge()
    return .none
  }

  private func settleAnswered(_ request: Request, _ stored: JobResult, _ claim: Claim) async throws -> Outcome {
    switch request.origin {
    case .abandoned:
      try removeDeferred(of: request)
      let job = AcceptedJob(claim: claim, work: .publish(stored), offered: nil)
      state.begin(job.place())
      return .accepted(job)
    case .deferred(let deferred):
      _ = try ledger.deferredQueue.remove(deferred)
      try await fence.drop(claim)
      return .none
    case .delivery:
      try await fence.drop(claim)
      return try await answerAgain(request, stored)
    }
  }

  // MARK: Settled without a claim

  /// Parks or rejects a request that needs no claim for that; `nil` for every other. There may be no place to park it: then it is
  /// invalid.
  private func settleUnclaimed(_ request: Request, _ verdict: inout Verdict) async throws -> Outcome? {
    if case .unapproved(let unapproved) = verdict, !request.isAbandoned {
      if case .delivery = request.origin, try !ledger.claimFiles(of: request.id).isEmpty {
        return try await meetHolder(of: request)
      }
      do {
        try await gate.park(request, unapproved.why)
        await request.acknowledge()
        return Outcome.none
      } catch let invalid as InvalidInput {
        verdict = .invalid(invalid)
      }
    }
    guard case .invalid(let reason) = verdict, case .delivery = request.origin else { return nil }
    try await outbox.reject(request, reason)
    await request.acknowledge()
    return Outcome.none
  }

  // MARK: Claimed

  /// Claims the job of a request; `nil` if somebody else holds it, or was faster.
  private func claim(_ request: Request) throws -> Claim? {
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
    case .abandoned(let stale):
      guard let claim = try ledger.takeOver(stale, request.envelope, signedBy: request.keyID) else { return nil }
      logger.notice(
        "worker \(stale.record?.worker ?? "") died over the job; taking it over",
        metadata: ["job": "\(request.id)", "attempt": "\(claim.record.attempt)"])
      return claim
    }
  }

  /// Takes a claimed request away from the volume; `false` if another worker did so before, and its job is done by now.
  private func takeAway(_ request: Request) throws -> Bool {
    switch request.origin {
    case .deferred(let deferred): return try ledger.deferredQueue.remove(deferred)
    case .delivery:
      // The broker may have sent it before, to a worker that deferred it.
      if request.envelope.requestId.mayRepeat { try removeDeferred(of: request) }
    case .abandoned:
      // The worker may have died between its claim and this.
      try removeDeferred(of: request)
    }
    return true
  }

  private func removeDeferred(of request: Request) throws {
    for queue in [ledger.deferredQueue, ledger.parkedQueue] {
      for deferred in try queue.requests(of: request.envelope, request.id) { _ = try queue.remove(deferred) }
    }
  }

  /// Records that a signed request is begun. Throws ``InvalidInput`` if it was begun before.
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

  private func job(_ request: Request, _ claim: Claim, _ plan: JobPlan) -> AcceptedJob {
    gate.noteDryRun(request.id, plan.definition)
    var job = AcceptedJob(claim: claim, work: .run(plan), offered: request.moment)
    guard request.isAbandoned else { return job }
    if claim.record.attempt > plan.definition.maxAttempts ?? settings.maxAttempts {
      job.work = .giveUp(plan.folder, "no attempt is left")
    } else if let expiry = Self.expiry(of: plan.request) {
      job.work = .giveUp(plan.folder, "it may not be begun again: \(expiry)")
    }
    return job
  }

  // MARK: Held

  /// Settles a delivery whose job somebody holds: either it is being worked on, or its worker died and the job is taken over here
  /// and now.
  private func meetHolder(of request: Request) async throws -> Outcome {
    guard case .delivery = request.origin else { return .none }
    var job: AcceptedJob?
    if let stale = try ledger.abandonedClaims().first(where: { $0.id == request.id }),
      case .accepted(let taken) = try await takeOver(stale)
    {
      job = taken
    }
    if isStopping, job == nil { return .none }
    guard let holder = try job?.claim.record ?? ledger.claimFiles(of: request.id).last?.record else { return .again }
    if !request.envelope.requestId.isSame(as: holder.envelope.requestId.text) { await outbox.tellDuplicate(request) }
    await request.acknowledge()
    return job.map { .accepted($0) } ?? .none
  }

  private func takeOver(_ stale: ClaimFile) async throws -> Outcome {
    guard let request = Request(stale, settings.reader) else {
      // Its writer died before it was whole, so the delivery was never acknowledged, and comes again.
      try stale.file.remove()
      return .none
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
      case .none: return nil
      case .again: try await Task.sleep(for: .milliseconds(50))
      }
    }
    guard ledger.filter != nil else { throw VolumeError("claiming a job in", ledger.directory.claims, .fileExists) }
    // Something that nobody can move lies in the claim's place: the request waits for that, and other jobs do not.
    var request = Request(offer)
    request.noteConnection()
    try ledger.audit.record(AuditEntry(.deferred, id: request.id, of: request.envelope, signedBy: request.keyID))
    try ledger.deferredQueue.put(request.envelope, request.id)
    await request.acknowledge()
    return nil
  }

  private static var mostTurns: Int { 100 }

  /// Admits what waits on the volume for a worker without a job: first jobs of workers that died, then deferred requests, oldest
  /// first.
  func scanVolume() async throws -> AcceptedJob? {
    for stale in try ledger.abandonedClaims() where !isStopping {
      if case .accepted(let job) = try await takeOver(stale) { return job }
    }
    if let filter = ledger.filter { try ledger.approvals.finish(of: filter) }
    try ledger.parkedQueue.removeBlanks()
    for name in try ledger.deferredQueue.names() where !isStopping {
      guard let deferred = try ledger.deferredQueue.request(named: name) else { continue }
      if case .accepted(let job) = try await admit(Request(deferred, settings.reader)) { return job }
    }
    return nil
  }
}
