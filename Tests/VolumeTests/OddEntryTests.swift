import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

/// Entries that anybody with write access to `.worker` may have made.
@Suite(.timeLimit(.minutes(5))) struct OddEntryTests {
  enum Kind: CaseIterable {
    case folder, link, fifo, tooLarge, unreadable, file

    func put(at path: VolumePath, outside: FilePath) throws {
      try DurableFile.makeFolder(path.folder)
      switch self {
      case .folder: try DurableFile.makeFolder(path.appending("full"))
      case .link: try #require(symlink(outside.string, path.string) == 0)
      case .fifo: try #require(mkfifo(path.string, 0o644) == 0)
      case .tooLarge:
        try "".write(toFile: path.string, atomically: false, encoding: .utf8)
        try #require(truncate(path.string, 17 << 20) == 0)
      case .file: try "".write(toFile: path.string, atomically: false, encoding: .utf8)
      case .unreadable:
        try "".write(toFile: path.string, atomically: false, encoding: .utf8)
        try #require(chmod(path.string, 0) == 0)
      }
    }
  }

  private let volume: VolumeFixture
  private var odd: VolumePath { volume.directory.state.appending("odd") }
  private var outside: FilePath { volume.root.appending("outside") }

  init() throws {
    volume = try VolumeFixture()
    try volume.write("mine", outside)
  }

  /// Root can read any file.
  private static let kinds = Kind.allCases.filter { $0 != .file && ($0 != .unreadable || geteuid() != 0) }

  @Test(arguments: kinds) func oddEntriesAreSetAsideAndStopNobody(_ kind: Kind) throws {
    let directory = volume.directory
    let places = [
      directory.claims.appending("job.1.json"), directory.members.appending("two.json"),
      directory.deferredFolder(of: VolumeFixture.filter).appending("1-job.json"),
      directory.parkedFolder(of: VolumeFixture.filter).appending("1-job.json"),
    ]
    for place in places { try kind.put(at: place, outside: outside) }
    let ledger = try volume.ledger()
    #expect(try ledger.abandonedClaims().isEmpty)
    #expect(try ledger.members.member(volume.worker("two")) == nil)
    #expect(try ledger.deferredQueue.requests().isEmpty)
    #expect(try ledger.parkedQueue.requests().isEmpty)
    #expect(try volume.names(odd).count == places.count)
    // The name can be used again.
    let claim = try #require(try ledger.claim(envelope("job", "r"), JobID("job")))
    #expect(claim.record.attempt == 1)
    #expect(volume.text(outside) == "mine")
  }

  @Test(arguments: [Kind.folder, .link, .fifo]) func clockIsReadWhateverLiesInItsPlace(_ kind: Kind) throws {
    try kind.put(at: volume.directory.clocks.appending("worker-01"), outside: outside)
    _ = try volume.ledger()
    #expect(try volume.names(odd).count == 1)
    #expect(volume.text(outside) == "mine")
  }

  @Test(arguments: [Kind.folder, .link, .fifo]) func draftGivesWayToTheNext(_ kind: Kind) throws {
    let path = volume.directory.members.appending("one.json")
    try kind.put(at: DurableFile.draft(of: path), outside: outside)
    try DurableFile.replace(path, Array("new".utf8))
    #expect(volume.text(path) == "new")
    #expect(volume.text(outside) == "mine")
  }

  @Test(arguments: kinds) func commandsThatOnlyLookMoveNothing(_ kind: Kind) throws {
    let claim = volume.directory.claims.appending("job.1.json")
    let parked = volume.directory.parkedFolder(of: VolumeFixture.filter).appending("1-job.json")
    for place in [claim, parked] { try kind.put(at: place, outside: outside) }
    #expect(try JobRecords(volume.directory).claims().isEmpty)
    #expect(try ApprovalStore(volume.directory).parked().isEmpty)
    #expect(DurableFile.exists(claim) && DurableFile.exists(parked) && !DurableFile.exists(odd))
  }

  @Test(arguments: [Kind.folder, .link, .fifo]) func auditLogIsWrittenWhateverLiesInItsPlace(_ kind: Kind) throws {
    let log = volume.directory.auditLog(of: try volume.worker("worker-01"))
    try kind.put(at: log, outside: outside)
    let ledger = try volume.ledger()
    _ = try #require(try ledger.claim(envelope("job", "r"), JobID("job")))
    #expect(volume.text(log)?.contains("\"claimed\"") == true)
    #expect(volume.text(outside) == "mine")
  }

  @Test(arguments: [Kind.link, .fifo, .tooLarge, .file], ["claims", "members", "clocks", "audit", "waiting", "odd"])
  func whatIsNoFolderGivesWayToOne(_ kind: Kind, _ name: String) throws {
    let place = volume.directory.state.appending(name)
    try kind.put(at: place, outside: outside)
    let ledger = try volume.ledger()
    _ = try ledger.members.join(
      Member(worker: "one", clientId: "one", filter: VolumeFixture.filter, broker: "b", process: ledger.worker.process))
    try ledger.deferredQueue.put(envelope("job", "r"), JobID("job"))
    _ = try #require(try ledger.claim(envelope("other", "r2"), JobID("other")))
    if name == "odd" { DurableFile.setAside(place.folder.appending("claims").appending("none")) }
    let status = try? place.status()
    #expect(name == "odd" || status.map { $0.st_mode & S_IFMT } == S_IFDIR)
    #expect(volume.text(outside) == "mine")
  }

  @Test func oddEntryIsMovedThoughItsPlaceIsTaken() throws {
    try DurableFile.makeFolder(volume.directory.state)
    try Kind.fifo.put(at: odd, outside: outside)
    let claim = volume.directory.claims.appending("job.1.json")
    try Kind.folder.put(at: claim, outside: outside)
    _ = try #require(try volume.ledger().claim(envelope("job", "r"), JobID("job")))
    #expect(volume.text(claim)?.contains("\"job\"") == true)
  }

  @Test(.enabled(if: geteuid() != 0, "root needs no rights")) func takenRightsAreGivenBack() throws {
    let ledger = try volume.ledger()
    try ledger.deferredQueue.put(envelope("job", "r"), JobID("job"))
    try #require(chmod(volume.directory.waiting.path.string, 0) == 0)
    #expect(try ledger.deferredQueue.requests().count == 1)
    try #require(chmod(volume.directory.claims.path.string, 0) == 0)
    _ = try #require(try volume.ledger().claim(envelope("job", "r"), JobID("job")))
  }

  @Test(arguments: ["0", "-1", "1000001", "9223372036854775807", "99999999999999999999"])
  func attemptThatNobodyMakesIsNone(_ attempt: String) throws {
    let ledger = try volume.ledger()
    try volume.write("{}", volume.directory.claims.appending("job.\(attempt).json").path)
    #expect(try ledger.claim(envelope("job", "r"), JobID("job"))?.record.attempt == 1)
  }

  @Test func claimOfTheLastAttemptIsNotTakenOver() throws {
    let ledger = try volume.ledger(lease: .milliseconds(1))
    let path = volume.directory.claims.appending("job.1000000.json")
    try volume.write("{}", path.path)
    try #require(utimes(path.path.string, [timeval(tv_sec: 1, tv_usec: 0), timeval(tv_sec: 1, tv_usec: 0)]) == 0)
    let stale = try #require(try ledger.abandonedClaims().first)
    #expect(try ledger.takeOver(stale, envelope("job", "r")) == nil)
    #expect(try volume.directory.claimNames().isEmpty)
  }

  @Test(arguments: [Kind.folder, .link, .fifo]) func whatIsNoFileHaltsNobody(_ kind: Kind) throws {
    try kind.put(at: volume.directory.killSwitch, outside: outside)
    #expect(volume.directory.haltReason == nil)
    #expect(volume.directory.hasOddKillSwitch)
  }

  @Test func errorIsNoAnswer() throws {
    let ledger = try volume.ledger()
    let folder = try volume.job("job")
    #expect(try ledger.storedResult(of: folder.id) == nil)
    try DurableFile.makeFolder(volume.jobs.appending("job").appending("results"))
    try volume.write("no JSON", volume.jobs.appending("job").appending("results").appending("result.json"))
    #expect(try ledger.storedResult(of: folder.id) == nil)
  }

  @Test func decisionThatIsAFolderIsSetAside() throws {
    let folder = volume.directory.parkedFolder(of: VolumeFixture.filter)
    try DurableFile.makeFolder(folder.appending("1-job.abc.decided"))
    try volume.ledger().approvals.finish(of: VolumeFixture.filter)
    #expect(try volume.names(odd).count == 1)
  }

  @Test func linkInTheWayIsNotFollowed() throws {
    try DurableFile.makeFolder(volume.root.appending("elsewhere"))
    try #require(symlink(volume.root.appending("elsewhere").string, volume.directory.state.string) == 0)
    let error = #expect(throws: VolumeError.self) { try volume.ledger() }
    #expect(error?.description.contains("move away what lies there") == true)
    #expect(try volume.names(volume.root.appending("elsewhere")).isEmpty)
  }
}
