import Jobs
import SystemPackage
import TestSupport
import Testing

@testable import Volume

/// Claims are found by their names.
@Suite struct ClaimNamesTests {
  private let volume: VolumeFixture

  init() throws { volume = try VolumeFixture() }

  private var claims: [String] { get throws { try volume.names(volume.directory.claims) } }

  @Test(arguments: [([Int](), [Int]()), ([1], [1]), ([1, 2, 3], [1, 2, 3]), ([2, 3], [2, 3]), ([2], [2])])
  func claimsOfAJobAreThoseInARow(_ attempts: [Int], _ found: [Int]) throws {
    let ledger = try volume.ledger()
    for attempt in attempts { _ = try volume.leaveClaim("job", attempt: attempt, of: "w") }
    for id in ["job.1", "jo", "job-1"] { _ = try volume.leaveClaim(id, of: "w") }
    #expect(try ledger.claimFiles(of: JobID("job")).map(\.attempt) == found)
  }

  /// A worker died while it released the claims of a finished run, lowest attempt first, and another run has begun.
  @Test func whatIsLeftOfAFinishedRunIsNotTakenOverBesideTheNextOne() throws {
    let ledger = try volume.ledger()
    age(try volume.leaveClaim("job", attempt: 3, of: "dead", request: "r1"), .seconds(61))
    let next = try #require(try ledger.claim(envelope("job", "r2"), JobID("job")))
    let stale = try #require(try ledger.abandonedClaims().first)
    #expect(stale.attempt == 3)
    #expect(try ledger.takeOver(stale, envelope("job", "r1")) == nil)
    #expect(try claims == ["job.1.json"])
    #expect(try !ledger.isSuperseded(next))
  }

  /// If no other run has begun, it is taken over, and is found by whoever has a request for the job.
  @Test func whatIsLeftOfARunIsFoundWhenItIsTakenOver() async throws {
    let ledger = try volume.ledger()
    age(try volume.leaveClaim("job", attempt: 3, of: "dead", request: "r1"), .seconds(61))
    let stale = try #require(try ledger.abandonedClaims().first)
    let claim = try #require(try ledger.takeOver(stale, envelope("job", "r1")))
    #expect(try claims == ["job.1.json", "job.2.json", "job.3.json", "job.4.json"])
    #expect(try ledger.claimFiles(of: JobID("job")).last?.attempt == 4)
    #expect(try volume.ledger("two").claim(envelope("job", "r2"), JobID("job")) == nil)
    #expect(try !ledger.isSuperseded(claim))
    try await ledger.release(claim)
    #expect(try claims == [])
  }

  /// Somebody removed a claim in the middle.
  @Test func takerFillsTheHole() throws {
    let ledger = try volume.ledger()
    for attempt in [1, 3] { _ = try volume.leaveClaim("job", attempt: attempt, of: "dead", request: "r1") }
    for name in try claims { age(volume.directory.claims.appending(name), .seconds(61)) }
    let stale = try #require(try ledger.abandonedClaims().first)
    #expect(try stale.attempt == 3 && ledger.takeOver(stale, envelope("job", "r1")) != nil)
    #expect(try claims == ["job.1.json", "job.2.json", "job.3.json", "job.4.json"])
    #expect(try ledger.abandonedClaims(among: [JobID("job")]).isEmpty)
  }

  /// No worker left it.
  @Test func claimOfAnAttemptFarFromAllOthersMakesNoThousands() throws {
    let ledger = try volume.ledger()
    age(try volume.leaveClaim("job", attempt: 900_000, of: "dead", request: "r1"), .seconds(61))
    let stale = try #require(try ledger.abandonedClaims().first)
    #expect(try ledger.takeOver(stale, envelope("job", "r1")) == nil)
    #expect(try claims.isEmpty)
  }

  /// The holder of the third attempt finishes the job while another takes it over.
  @Test func takerThatComesTooLateLeavesNothing() throws {
    let ledger = try volume.ledger()
    age(try volume.leaveClaim("job", attempt: 3, of: "slow", request: "r1"), .seconds(61))
    let stale = try #require(try ledger.abandonedClaims().first)
    try stale.file.remove()
    #expect(try ledger.takeOver(stale, envelope("job", "r1")) == nil)
    #expect(try claims == [])
  }

  /// A removal's mark, or a claim whose writer died, holds the first attempt's name.
  @Test func incompleteFirstClaimIsNotForEver() throws {
    let ledger = try volume.ledger()
    age(try volume.leaveClaim("job", attempt: 2, of: "dead", request: "r1"), .seconds(61))
    let first = volume.directory.claims.appending("job.1.json")
    try volume.write("", first)
    let stale = try #require(try ledger.abandonedClaims().first { $0.attempt == 2 })
    #expect(try ledger.takeOver(stale, envelope("job", "r1")) == nil)
    age(first, .seconds(61))
    #expect(try ledger.takeOver(stale, envelope("job", "r1")) != nil)
    #expect(try claims == ["job.1.json", "job.2.json", "job.3.json"])
  }

  @Test func lastClaimedIsTheNewest() throws {
    let ledger = try volume.ledger()
    #expect(ledger.audit.lastClaimed() == nil)
    for (event, id) in [
      (AuditEntry.Event.claimed, "a"), (.published, "a"), (.claimed, "b"), (.takenOver, "c"), (.dropped, "c"),
      (.step, "d"),
    ] {
      try ledger.audit.record(AuditEntry(event, id: JobID(id)))
    }
    #expect(ledger.audit.lastClaimed()?.text == "c")
    for number in 0..<2000 { try ledger.audit.record(AuditEntry(.claimed, id: JobID("e\(number)"))) }
    #expect(ledger.audit.lastClaimed()?.text == "e1999")
  }
}
