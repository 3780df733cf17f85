import SystemPackage
import Jobs
import Logging
import Volume

/// Asks whether this worker still holds a claim. Releases claims, and defers the request of a job that this worker leaves.
struct ClaimFence: Sendable {
  let ledger: Ledger
  let patience: VolumePatience

  /// Throws ``Superseded`` when another attempt holds the job and answers for it. If the volume does not answer, asks
  /// again for up to a lease.
  ///
  /// An answer holds for a third of the lease from the moment of the question. If this process or the volume stood
  /// still for longer than that, the fence asks again. Returns the end of the time for which the answer holds.
  @discardableResult
  func check(_ claim: Claim) async throws -> ContinuousClock.Instant {
    for _ in 0..<10 {
      let (asked, isLost) = try await asking { [ledger] in (ContinuousClock.now, try await ledger.hasLost(claim)) }
      if isLost { throw Superseded() }
      let limit = asked + ledger.leaseDuration / 3
      if .now < limit { return limit }
    }
    throw VolumeError("asking, within a third of the lease, who holds", claim.path, .timedOut)
  }

  /// Removes the claims of a job that is done. Changes nothing if another worker holds the job by now.
  func release(_ claim: Claim) async throws {
    try await ledger.release(claim)
  }

  /// Releases the claim of a job that did not begin.
  func drop(_ claim: Claim) async throws {
    ledger.audit.note(claim.entry(.dropped), patience.logger)
    try await release(claim)
  }

  /// Leaves a job that did not begin to another worker. It defers the request, which others leave alone until the claim is
  /// gone. At a later attempt it removes only its own claim: the next worker takes over from the earlier one, and gets the same
  /// attempt number.
  func giveBack(_ request: JobRequest, _ claim: Claim) async throws {
    guard ledger.filter != nil else { return try await drop(claim) }
    try await check(claim)
    guard claim.record.attempt == 1 else {
      try ledger.audit.record(claim.entry(.dropped))
      try claim.place.remove()
      return
    }
    do {
      try ledger.audit.record(claim.entry(.deferred))
      try ledger.serving(claim.record.filter).deferredQueue.put(envelope(of: claim), claim.record.id)
    } catch {
      // The claim stays, as if this worker had died: the next one takes over.
      if error.cause.isForRoom { claim.noteUnbegun() }
      throw error
    }
    // Another copy of a signed request may arrive first, and has another run.
    try ledger.seen.forget(request, claim.record)
    try await release(claim)
  }

  /// The request of a claim. It keeps its run, so that a signed request does not count as used twice.
  private func envelope(of claim: Claim) -> Envelope {
    var envelope = claim.record.envelope
    envelope.run = claim.record.run
    return envelope
  }

  /// Defers the request of a claim that is gone although nobody continues the job: there is no higher attempt, and no
  /// result with the request's key. Returns `false` if somebody continues the job or has answered.
  func deferAgain(_ claim: Claim) async throws -> Bool {
    // A claim that was not touched for a whole lease is lost to a successor, which answers for the job or has answered.
    guard ledger.filter != nil, claim.longestGap < ledger.leaseDuration else { return false }
    let (id, record) = (claim.record.id, claim.record)
    let ledger = ledger.serving(record.filter)
    return try await asking {
      guard try await !claim.staysInPlace(), try !ledger.hasSuccessor(claim) else { return false }
      let holders = try ledger.claimFiles(of: id).compactMap(\.record)
      guard !holders.contains(where: { $0.isOfSameRun(as: record) }), try !ledger.hasAnswered(record.envelope, id)
      else {
        return false
      }
      let envelope = envelope(of: claim)
      for queue in [ledger.deferredQueue, ledger.parkedQueue] {
        guard try queue.requests(of: envelope, id).isEmpty else { return false }
      }
      try claim.remakeState(in: ledger.directory)
      try ledger.audit.record(claim.entry(.deferred))
      try ledger.deferredQueue.put(envelope, id)
      return true
    }
  }

  /// Repeats a question until the volume answers, for a lease at most.
  private func asking<T>(_ question: () async throws -> T) async throws -> T {
    try await patience.asking(while: { _ in true }, question)
  }
}

/// This worker has no claim any more: another one holds the job, because this one did not touch its claim for a whole
/// lease, or somebody removed the claim.
struct Superseded: Error {}

/// This worker could not touch its claim in time, or the volume failed it, and it leaves the job to its next attempt.
struct Lapsed: Error {}
