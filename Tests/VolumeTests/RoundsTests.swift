import Glibc
import Jobs
import SystemPackage
import TestSupport
import Testing

@testable import Volume

/// The look at all members and claims that one idle worker makes for all.
@Suite struct RoundsTests {
  private let volume: VolumeFixture

  init() throws {
    volume = try VolumeFixture()
    // The workers' folders.
    _ = try volume.ledger()
  }

  private func rounds(
    _ worker: String, filter: String = VolumeFixture.filter, broker: String = "b:1883",
    lease: Duration = .seconds(60), times: TimeSource? = nil
  ) throws -> Rounds {
    Rounds(try volume.ledger(worker, filter: filter, lease: lease, times: times), broker: broker)
  }

  private var mark: VolumePath {
    get throws { volume.directory.rounds.appending(try #require(try volume.names(volume.directory.rounds).first)) }
  }

  @Test func oneWorkerMakesTheRoundOfAThirdOfALease() throws {
    #expect(try rounds("one").begin() != nil)
    #expect(try rounds("two").begin() == nil)
    #expect(try rounds("one").begin() == nil)
    age(try mark, .seconds(21))
    #expect(try rounds("two").begin() != nil)
    #expect(try rounds("one").begin() == nil)
  }

  @Test func kindsOfWorkersHaveRoundsOfTheirOwn() throws {
    #expect(try rounds("one").begin() != nil)
    #expect(try rounds("two", filter: "$share/gpu/jobs/pending").begin() != nil)
    #expect(try rounds("three", broker: "other:1883").begin() != nil)
    #expect(try volume.names(volume.directory.rounds).count == 3)
  }

  @Test func roundIsMadeWheneverItIsDemanded() throws {
    #expect(try rounds("one").begin() != nil)
    #expect(try rounds("two").begin(evenIfNotDue: true) != nil)
  }

  /// The clock was set back.
  @Test(.timeLimit(.minutes(5))) func markOfTheFutureDelaysNoRoundForLong() async throws {
    #expect(try rounds("one", lease: .milliseconds(300)).begin() != nil)
    age(try mark, .seconds(-100_000))
    let two = try rounds("two", lease: .milliseconds(300))
    #expect(try two.begin() == nil)
    try await eventually("the next round") { try two.begin() != nil }
  }

  @Test(arguments: ["", "{", "[]", #"{"abandoned":["../../x.1.json","y"],"seen":{"a":{"mark":"m","age":-1}}}"#])
  func brokenMarkIsNoHindrance(_ text: String) throws {
    #expect(try rounds("one").begin() != nil)
    try volume.write(text, try mark)
    let two = try rounds("two")
    #expect(try two.leftByLast().isEmpty)
    age(try mark, .seconds(21))
    let claim = try volume.leaveClaim("job", of: "dead")
    age(claim, .seconds(61))
    #expect(try two.begin()?.look().map(\.path) == [claim])
  }

  /// Something that no worker made lies in the mark's place.
  @Test(arguments: ["folder", "FIFO", "link", "loop", "large"]) func oddMarkIsNoHindrance(_ kind: String) throws {
    #expect(try rounds("one").begin() != nil)
    let mark = try mark
    unlink(mark.string)
    switch kind {
    case "folder": mkdir(mark.string, 0o755)
    case "FIFO": mkfifo(mark.string, 0o644)
    case "link": symlink("/etc/hostname", mark.string)
    case "loop": symlink(mark.name, mark.string)
    default:
      try volume.write("{", mark)
      truncate(mark.string, 20 << 20)
    }
    age(try volume.leaveClaim("job", of: "dead"), .seconds(61))
    let two = try rounds("two")
    #expect(try two.leftByLast().isEmpty)
    // It may be moved aside by the first of them.
    for _ in 0..<2 { #expect(try two.begin(evenIfNotDue: true)?.look().map(\.id.text) == ["job"]) }
    #expect(try rounds("three").leftByLast().map(\.id.text) == ["job"])
  }

  @Test func fileInThePlaceOfTheMarksIsNoHindrance() throws {
    try volume.write("x", volume.directory.rounds)
    age(try volume.leaveClaim("job", of: "dead"), .seconds(61))
    #expect(try rounds("one").begin()?.look().map(\.id.text) == ["job"])
    #expect(try rounds("two").leftByLast().map(\.id.text) == ["job"])
  }

  @Test func othersFindWhatTheRoundFound() throws {
    for id in ["a", "b", "c"] { age(try volume.leaveClaim(id, of: "dead"), .seconds(61)) }
    _ = try volume.leaveClaim("lives", of: "living")
    let found = try rounds("one").begin()?.look()
    #expect(found?.map(\.id.text).sorted() == ["a", "b", "c"])
    let two = try rounds("two")
    #expect(try two.begin() == nil)
    let stale = try two.leftByLast()
    #expect(stale.map(\.id.text).sorted() == ["a", "b", "c"])
    let first = try #require(stale.first)
    #expect(try two.ledger.takeOver(first, envelope(first.id.text, "r")) != nil)
    #expect(try rounds("three").leftByLast().count == 2)
  }

  @Test func hiddenFilesOfTheDeadGoThoughEachRoundIsAnothersWorker() async throws {
    let aside = volume.directory.claims.appending(".abc.aside")
    try volume.write("left", aside)
    let began = ContinuousClock.now
    var number = 0
    try await eventually("the hidden file is swept away") {
      number += 1
      _ = try rounds("worker-\(number)", lease: .milliseconds(400)).begin()?.look()
      return volume.text(aside) == nil
    }
    #expect(ContinuousClock.now - began >= .milliseconds(400))
  }

  /// Where hosts set the times, a claim has expired when it was seen unchanged for a lease: by several, if need be.
  @Test(.timeLimit(.minutes(10))) func workersWatchOneAfterTheOtherWhereHostsStamp() async throws {
    let claim = try volume.leaveClaim("job", of: "dead")
    age(claim, .seconds(100_000))
    let began = ContinuousClock.now
    // Each of them sees the mark twice at most.
    let workers = try (0..<3).map { try rounds("worker-\($0)", lease: .milliseconds(600), times: .hosts) }
    var number = 0
    while try workers[number % 3].begin()?.look().isEmpty != false {
      number += 1
      try await Task.sleep(for: .milliseconds(5))
    }
    #expect(ContinuousClock.now - began >= .milliseconds(600))
  }

  /// What others tell of a file in another state says nothing.
  @Test func touchedClaimIsAliveWhateverAMarkSays() throws {
    let claim = try volume.leaveClaim("job", of: "living")
    let one = try rounds("one", times: .hosts)
    _ = try one.begin()?.look()
    let seen = #"{"abandoned":["job.1.json"],"seen":{"claims/job.1.json":{"mark":"other","age":100000000}}}"#
    try volume.write(seen, try mark)
    let two = try rounds("two", times: .hosts)
    #expect(try two.begin(evenIfNotDue: true)?.look().isEmpty == true)
    #expect(try two.leftByLast().isEmpty && volume.text(claim) != nil)
  }
}
