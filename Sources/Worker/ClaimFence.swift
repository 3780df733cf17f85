import SystemPackage
import Jobs
import Logging
import Volume

/// Asks whether a claim is still this worker's, and lets go of it.
struct ClaimFence: Sendable {
  let ledger: Ledger
  let logger: Logger

  /// Throws ``Superseded`` when another attempt holds the job, and answers for it. Asks a volume that gives no answer again, for a
  /// lease.
  ///
  /// An answer is of the moment when it was asked for: if this process or the volume stood still meanwhile, it is asked for again.
  /// Returns until when the answer holds.
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

  /// Removes the claims of a job that is done. If another worker holds the job by now, nothing is touched.
  func release(_ claim: Claim) async throws {
    try await ledger.release(claim)
  }

  /// Lets go of a job that was not begun.
  func drop(_ claim: Claim) async throws {
    ledger.audit.note(claim.entry(.dropped), logger)
    try await release(claim)
  }

  /// Defers a request whose claim is gone while nobody goes on with it: no higher attempt, and no result with its key. `false` if
  /// somebody goes on or has answered. Its run stays the same, so that a signed request does not count as used twice.
  func deferAgain(_ claim: Claim) async throws -> Bool {
    // A claim that nobody touched for a lease is lost to a successor, which answers for the job, or has.
    guard ledger.filter != nil, claim.longestGap < ledger.leaseDuration else { return false }
    let (id, record) = (claim.record.id, claim.record)
    return try await asking { [ledger] in
      guard try await !claim.staysInPlace(), try !ledger.hasSuccessor(claim) else { return false }
      let holders = try ledger.claimFiles(of: id).compactMap(\.record)
      guard !holders.contains(where: { $0.isOfSameRun(as: record) }), try !ledger.hasAnswered(record.envelope, id)
      else {
        return false
      }
      var envelope = record.envelope
      envelope.run = record.run
      for queue in [ledger.deferredQueue, ledger.parkedQueue] {
        guard try queue.requests(of: envelope, id).isEmpty else { return false }
      }
      try ledger.audit.record(claim.entry(.deferred))
      try ledger.deferredQueue.put(envelope, id)
      return true
    }
  }

  /// Asks the volume until it answers, for a lease at most.
  private func asking<T>(_ question: () async throws -> T) async throws -> T {
    let deadline = ContinuousClock.now + ledger.leaseDuration
    while true {
      do {
        return try await question()
      } catch {
        guard ContinuousClock.now < deadline else { throw error }
        logger.warning("\(error); asking again")
        try await Task.sleep(for: min(ledger.leaseDuration / 10, .milliseconds(500)))
      }
    }
  }
}

/// Another worker holds the job by now, because this one did not touch its claim for a whole lease.
struct Superseded: Error {}

/// This worker could not keep its claim for long enough, and leaves the job to its next attempt.
struct Lapsed: Error {}
