import Foundation
import Glibc
import SystemPackage
import Testing

@testable import JobWorker

/// What anybody who may write below `.worker` may have put there.
@Suite(.timeLimit(.minutes(5))) struct OddEntryTests {
  enum Kind: CaseIterable {
    case folder, link, fifo, tooLarge

    func put(at path: VolumePath, outside: FilePath) throws {
      try DurableFile.makeFolder(path.folder)
      switch self {
      case .folder: try DurableFile.makeFolder(path.appending("full"))
      case .link: try #require(symlink(outside.string, path.string) == 0)
      case .fifo: try #require(mkfifo(path.string, 0o644) == 0)
      case .tooLarge:
        try "".write(toFile: path.string, atomically: false, encoding: .utf8)
        try #require(truncate(path.string, 17 << 20) == 0)
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

  @Test(arguments: Kind.allCases) func oddEntriesAreSetAsideAndStopNobody(_ kind: Kind) throws {
    let directory = volume.directory
    let places = [
      directory.claims.appending("job.1.json"), directory.members.appending("two.json"),
      directory.waitingRoom(of: VolumeFixture.filter).appending("1-job.json"),
      directory.parkingRoom(of: VolumeFixture.filter).appending("1-job.json"),
    ]
    for place in places { try kind.put(at: place, outside: outside) }
    let ledger = try volume.ledger()
    #expect(try ledger.abandonedClaims().isEmpty)
    #expect(try ledger.members.member(volume.worker("two")) == nil)
    #expect(try ledger.waitingRoom.tickets().isEmpty)
    #expect(try ledger.approvals.parked().isEmpty)
    #expect(try volume.names(odd).count == places.count)
    // The name is free again.
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

  @Test func decisionThatIsAFolderIsSetAside() throws {
    let room = volume.directory.parkingRoom(of: VolumeFixture.filter)
    try DurableFile.makeFolder(room.appending("1-job.abc.decided"))
    try volume.ledger().approvals.finish(of: VolumeFixture.filter)
    #expect(try volume.names(odd).count == 1)
  }

  @Test func linkInTheWayIsNotFollowed() throws {
    try DurableFile.makeFolder(volume.root.appending("elsewhere"))
    try #require(symlink(volume.root.appending("elsewhere").string, volume.directory.state.string) == 0)
    let error = #expect(throws: VolumeError.self) { try volume.ledger() }
    #expect(error?.description.contains("no link is followed") == true)
    #expect(try volume.names(volume.root.appending("elsewhere")).isEmpty)
  }
}
