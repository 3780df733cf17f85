import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

struct LedgerTests {
  private let volume: VolumeFixture

  init() throws {
    volume = try VolumeFixture()
  }

  private var claims: [String] {
    get throws { try volume.names(volume.directory.claims) }
  }

  @Test func missingVolumeIsNamed() throws {
    let identity = WorkerIdentity(id: try volume.worker("w"), version: "1")
    let error = #expect(throws: VolumeError.self) {
      try Ledger(JobsDirectory("/nowhere/jobs"), worker: identity, filters: [], lease: .seconds(1))
    }
    #expect(error?.description.contains("/nowhere/jobs") == true)
    try volume.write("", volume.root.appending("file"))
    let other = #expect(throws: VolumeError.self) {
      try Ledger(JobsDirectory(volume.root.appending("file")), worker: identity, filters: [], lease: .seconds(1))
    }
    #expect(other?.cause == .notDirectory)
  }

  @Test func jobIsHeldByOneWorker() async throws {
    let (one, two) = (try volume.ledger("one"), try volume.ledger("two"))
    let id = try JobID("job")
    let claim = try #require(try one.claim(envelope("job", "r"), id))
    #expect(claim.record.attempt == 1)
    #expect(claim.record.worker == "one")
    #expect(claim.record.process == .current)
    #expect(try two.claim(envelope("job", "s"), id) == nil)
    #expect(try one.claim(envelope("job", "s"), id) == nil)
    #expect(try two.isHeld(id))
    #expect(try two.hasClaim(id, for: RequestID("r")))
    #expect(try !two.hasClaim(id, for: RequestID("s")))
    #expect(try two.abandonedClaims().isEmpty)
    try await one.release(claim)
    #expect(try claims.isEmpty)
    #expect(try !two.isHeld(id))
    #expect(try two.claim(envelope("job", "s"), id) != nil)
  }

  @Test func oneOfManyWorkersClaimsAJob() async throws {
    let volume = volume
    for round in 0..<10 {
      let winners = try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<8 {
          group.addTask {
            try await onThread {
              try volume.ledger("w\(number)").claim(envelope("job-\(round)", "r"), JobID("job-\(round)")) != nil
            }
          }
        }
        return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
      }
      #expect(winners == 1)
    }
  }

  @Test func idsThatBeginAlikeAreDifferentJobs() throws {
    let ledger = try volume.ledger()
    for id in ["a", "a.1", "a.b", "a.1.json"] { #expect(try ledger.claim(envelope(id, "r"), JobID(id)) != nil) }
    #expect(try ledger.claimFiles(of: JobID("a")).count == 1)
    #expect(try volume.directory.claimFiles(.setAside).count == 4)
  }

  @Test func untouchedClaimIsTakenOverByTheNextAttempt() async throws {
    let (one, two) = (try volume.ledger("one"), try volume.ledger("two"))
    let claim = try #require(try one.claim(envelope("job", "r"), try JobID("job")))
    age(claim.path, .seconds(61))
    let stale = try #require(try two.abandonedClaims().first)
    #expect(try !two.isHeld(stale.id))
    #expect(try two.claim(envelope("job", "s"), stale.id) == nil)
    let next = try #require(try two.takeOver(stale, envelope("job", "r")))
    #expect(next.record.attempt == 2)
    #expect(next.record.worker == "two")
    #expect(try one.isSuperseded(claim))
    #expect(try !two.isSuperseded(next))
    #expect(try one.abandonedClaims().isEmpty)
    // The worker that thaws releases only its own claim.
    try await one.release(claim)
    #expect(try claims == ["job.2.json"])
    try await two.release(next)
    #expect(try claims.isEmpty)
    #expect(try two.isSuperseded(next))
  }

  @Test func oneOfManyTakesAClaimOver() async throws {
    _ = try volume.ledger()
    let volume = volume
    age(try volume.leaveClaim("job", of: "dead"), .seconds(61))
    let stale = try #require(try volume.ledger("w").abandonedClaims().first)
    let winners = try await withThrowingTaskGroup(of: Bool.self) { group in
      for number in 0..<8 {
        group.addTask {
          try await onThread { try volume.ledger("w\(number)").takeOver(stale, envelope("job", "r")) != nil }
        }
      }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(winners == 1)
    #expect(try claims == ["job.1.json", "job.2.json"])
  }

  @Test func takerOfAJobThatIsDoneDropsItsOwnClaim() async throws {
    let (one, two) = (try volume.ledger("one"), try volume.ledger("two"))
    let claim = try #require(try one.claim(envelope("job", "r"), try JobID("job")))
    age(claim.path, .seconds(61))
    let stale = try #require(try two.abandonedClaims().first)
    try await one.release(claim)
    #expect(try two.takeOver(stale, envelope("job", "r")) == nil)
    #expect(try claims.isEmpty)
  }

  /// The worker was stopped for longer than a lease before it released the claim.
  @Test func lateReleaseLeavesAnothersClaimOfTheSameName() async throws {
    let ledgers = try ["one", "two", "three"].map { try volume.ledger($0) }
    let id = try JobID("job")
    var held = [try #require(try ledgers[0].claim(envelope("job", "r1"), id))]
    for ledger in ledgers.dropFirst() {
      age(held[held.count - 1].path, .seconds(61))
      let stale = try #require(try ledger.abandonedClaims().first)
      held.append(try #require(try ledger.takeOver(stale, envelope("job", "r1"))))
    }
    try await ledgers[2].release(held[2])
    #expect(try claims.isEmpty)
    let next = try #require(try ledgers[2].claim(envelope("job", "r2"), id))
    for index in 0..<2 { try await ledgers[index].release(held[index]) }
    #expect(try claims == ["job.1.json"])
    #expect(try !ledgers[2].isSuperseded(next))
  }

  @Test func takerWhoseClaimBecameAnothersDropsItsOwn() async throws {
    let (one, two) = (try volume.ledger("one"), try volume.ledger("two"))
    let id = try JobID("job")
    let claim = try #require(try one.claim(envelope("job", "r1"), id))
    age(claim.path, .seconds(61))
    let stale = try #require(try two.abandonedClaims().first)
    try await one.release(claim)
    let next = try #require(try one.claim(envelope("job", "r2"), id))
    #expect(try two.takeOver(stale, envelope("job", "r1")) == nil)
    #expect(try claims == ["job.1.json"])
    #expect(try !one.isSuperseded(next))
  }

  /// The worker that made the higher attempt does not know yet that the job it takes over is done.
  @Test func higherAttemptOfAnotherRunSupersedesNobody() throws {
    let ledger = try volume.ledger("one")
    let claim = try #require(try ledger.claim(envelope("job", "r2"), try JobID("job")))
    let stray = try volume.leaveClaim("job", attempt: 2, of: "two", request: "r1")
    #expect(try !ledger.isSuperseded(claim))
    unlink(stray.path.string)
    _ = try volume.leaveClaim("job", attempt: 2, of: "two", request: "r2")
    #expect(try ledger.isSuperseded(claim))
  }

  @Test func releaseTakesTheLowerAttemptsAlong() async throws {
    let ledger = try volume.ledger()
    for attempt in 1...2 { age(try volume.leaveClaim("job", attempt: attempt, of: "dead"), .seconds(61)) }
    let stale = try #require(try ledger.abandonedClaims().first)
    #expect(stale.attempt == 2)
    let claim = try #require(try ledger.takeOver(stale, envelope("job", "r")))
    #expect(claim.record.attempt == 3)
    _ = try volume.leaveClaim("other", of: "dead")
    try await ledger.release(claim)
    #expect(try claims == ["other.1.json"])
  }

  @Test func ownClaimOfADeadProcessIsAbandonedAtOnce() throws {
    let ledger = try volume.ledger("one")
    _ = try volume.leaveClaim("mine", of: "one", .predecessor)
    _ = try volume.leaveClaim("alive", of: "one", .current)
    _ = try volume.leaveClaim("far", of: "one", .elsewhere)
    _ = try volume.leaveClaim("other", of: "two", .predecessor)
    #expect(try ledger.abandonedClaims().map(\.id.text) == ["mine"])
  }

  @Test(arguments: ["$share/other/jobs/pending", "gpu/pending"])
  func claimsOfAnotherKindAreLeftAlone(_ filter: String) throws {
    let ledger = try volume.ledger()
    age(try volume.leaveClaim("job", of: "dead", filter: filter), .seconds(1000))
    #expect(try ledger.abandonedClaims().isEmpty)
    #expect(try ledger.claim(envelope("job", "r"), try JobID("job")) == nil)
    #expect(try claims == ["job.1.json"])
  }

  /// One on this host may stand still for any time.
  @Test func claimOfADeadDryRunIsRemovedAndNotTakenOver() throws {
    let ledger = try volume.ledger()
    for (id, process, seconds) in [
      ("dead", .predecessor, 0), ("stopped", .current, 100_000), ("far", .elsewhere, 80_000),
      ("gone", .elsewhere, 90_000),
    ] as [(String, ProcessIdentity, Int64)] {
      age(try volume.leaveClaim(id, of: "dry", process, filter: nil), .seconds(seconds))
    }
    #expect(try ledger.abandonedClaims().isEmpty)
    #expect(try claims == ["far.1.json", "stopped.1.json"])
  }

  /// Its writer died after it made the file and before it filled it, so the request was never acknowledged.
  @Test(arguments: ["", "{\"id\":\"job\",\"att"]) func halfWrittenClaimIsAbandonedOnlyWhenItIsOld(_ text: String) throws
  {
    let ledger = try volume.ledger()
    let path = volume.directory.claims.appending("job.1.json")
    try volume.write(text, path)
    #expect(try ledger.abandonedClaims().isEmpty)
    #expect(try !ledger.isHeld(try JobID("job")))
    age(path, .seconds(61))
    let abandoned = try ledger.abandonedClaims()
    #expect(abandoned.map(\.path) == [path])
    #expect(abandoned.first?.record == nil)
  }

  @Test func foreignFilesAmongTheClaimsAreLeftAlone() throws {
    let ledger = try volume.ledger()
    for name in ["README", "job.json", ".job.1.json", "-x.1.json"] {
      try volume.write("", volume.directory.claims.appending(name))
      age(volume.directory.claims.appending(name), .seconds(1000))
    }
    #expect(try ledger.abandonedClaims().isEmpty)
    #expect(try ledger.claim(envelope("job", "r"), try JobID("job")) != nil)
  }

  @Test(.timeLimit(.minutes(5))) func keptClaimStaysFreshAndLearnsThatItIsSuperseded() async throws {
    let ledger = try volume.ledger("one", lease: .milliseconds(300))
    let claim = try #require(try ledger.claim(envelope("job", "r"), try JobID("job")))
    age(claim.path, .seconds(100))
    let (superseded, report) = AsyncStream.makeStream(of: Void.self)
    claim.afterEachTouch {
      if (try? ledger.isSuperseded(claim)) == true { report.finish() }
    }
    while try ledger.lease.hasExpired(claim.path) { try await Task.sleep(for: .milliseconds(5)) }
    _ = try volume.leaveClaim("job", attempt: 2, of: "two")
    for await _ in superseded {}
  }

  @Test func claimNamesTheTopicOfItsRequestAndIsTakenOverByAWorkerThatHasItAmongOthers() throws {
    let id = try JobID("job")
    let one = try volume.ledger("one")
    let several = try Ledger(
      volume.directory, worker: one.worker, filters: ["urgent", VolumeFixture.filter], lease: .seconds(60))
    let claim = try #require(try several.serving(VolumeFixture.filter).claim(envelope("job", "r"), id))
    #expect(claim.record.filter == VolumeFixture.filter)
    claim.leave()
    age(claim.path, .seconds(61))
    #expect(try volume.ledger("two", filter: "urgent").abandonedClaims().isEmpty)
    #expect(try volume.ledger("two").abandonedClaims().count == 1)
    #expect(try several.abandonedClaims().count == 1)
    #expect(try several.abandonedClaims(of: "urgent").isEmpty)
    #expect(try several.abandonedClaims(of: VolumeFixture.filter).count == 1)
    #expect(several.deferredQueue.folder == several.serving("urgent").deferredQueue.folder)
    #expect(several.deferredQueue.folder != one.deferredQueue.folder)
  }
}
