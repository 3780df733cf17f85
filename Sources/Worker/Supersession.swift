import Jobs
private import Logging
private import SystemPackage
package import Volume

/// Whether a claim is still this worker's, and what becomes of a request whose claim is nobody's.
extension Worker {
  /// Whoever holds a higher attempt answers for the job now. A volume that does not say who that is, is asked again for a lease.
  ///
  /// An answer is of the moment when it was asked for: one for which this process, or the volume, stood still is asked for again.
  /// Until when it holds.
  @discardableResult
  func fence(_ claim: Claim) async throws -> ContinuousClock.Instant {
    for _ in 0..<10 {
      let (asked, isLost) = try await asking { [ledger] in (ContinuousClock.now, try await ledger.hasLost(claim)) }
      if isLost { throw Superseded() }
      let limit = asked + ledger.leaseDuration / 3
      if .now < limit { return limit }
    }
    throw VolumeError("asking, within a third of the lease, who holds", claim.path, .timedOut)
  }

  /// Lets go of a job; of one that another worker holds by now nothing is touched.
  package func release(_ claim: Claim) async throws {
    guard try await claim.staysInPlace() else { return }
    try ledger.release(claim)
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

  /// Puts a request down again whose claim is gone while nobody goes on with it: not as a higher attempt, and not to a result
  /// that bears its key. `false` if somebody does or did. Its run is the same, so that a signed request is not taken for a
  /// second use of its signature.
  func putDownAgain(_ claim: Claim) async throws -> Bool {
    // Who went untouched for a lease has lost its claim to a successor, which answers for the job, or has.
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
      for room in [ledger.waitingRoom, ledger.parkingRoom] {
        guard try room.tickets(of: envelope, id).isEmpty else { return false }
      }
      try ledger.audit.record(claim.entry(.putDown))
      try ledger.waitingRoom.put(envelope, id)
      return true
    }
  }
}

/// Another worker holds the job by now, because this one did not touch its claim for a whole lease.
struct Superseded: Error {}

/// This worker could not keep its claim for long enough, and leaves the job to its next attempt.
struct Lapsed: Error {}
