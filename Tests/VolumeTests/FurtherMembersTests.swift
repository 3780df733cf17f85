import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

/// The member files of workers with several topics.
@Suite(.timeLimit(.minutes(5))) struct FurtherMembersTests {
  private let volume: VolumeFixture
  private let members: Members

  init() throws {
    volume = try VolumeFixture()
    members = try volume.ledger().members
  }

  private func member(_ worker: String) -> Member {
    Member(worker: worker, clientId: worker, filter: VolumeFixture.filter, broker: "b:1883", process: .elsewhere)
  }

  private func departed(of filter: String) throws -> [Member] {
    try members.departed(filter: filter, broker: "b:1883", except: try volume.worker("one"))
  }

  private func further(_ worker: String, _ filter: String, broker: String = "b:1883") -> Member {
    let mark = SessionName.mark(of: filter)
    return Member(
      worker: worker, mark: mark, clientId: "\(worker)~\(mark)", filter: filter, broker: broker, process: .elsewhere)
  }

  @Test func sessionsOfOneWorkerHaveAFileEach() throws {
    let (mark, gpu) = (SessionName.mark(of: "gpu"), further("one", "gpu"))
    let memberships = [try members.join(member("one")), try members.join(gpu)]
    #expect(try volume.names(members.folder) == ["one.json", "one~\(mark).json"])
    #expect(try members.member(volume.worker("one"))?.filter == VolumeFixture.filter)
    #expect(try members.member(volume.worker("one"), mark)?.filter == "gpu")
    #expect(try members.workers.map(\.text) == ["one"])
    try memberships[1].end(.left)
    #expect(try volume.names(members.folder) == ["one.json", "one~\(mark).left"])
    withExtendedLifetime(memberships) {}
  }

  @Test func furtherSessionOfADeadWorkerIsAdoptedByItsFilter() throws {
    try members.join(member("dead")).end(.present)
    try members.join(further("dead", "gpu")).end(.present)
    age(members.file(of: "dead~\(SessionName.mark(of: "gpu"))"), .seconds(61))
    #expect(try departed(of: VolumeFixture.filter).isEmpty)
    let gone = try departed(of: "gpu")
    let adopted = try #require(gone.first)
    try #require(try members.adopt(adopted)).complete()
    #expect(try volume.names(members.folder) == ["dead.json"])
  }

  /// Also while its lease lasts: the worker itself knows that it has the topic no more.
  @Test func ownSessionForATopicThatTheWorkerNoLongerHasHasDeparted() throws {
    let ledger = try volume.ledger("one")
    for member in [
      member("one"), further("one", "gpu"), further("one", "cpu", broker: "other:1883"), further("one-b", "gpu"),
    ] {
      try members.join(member).end(.away)
    }
    let several = try Ledger(
      volume.directory, worker: ledger.worker, filters: [VolumeFixture.filter, "gpu"], lease: .seconds(60))
    #expect(try several.departedMembers(at: "b:1883").isEmpty)
    let departed = try ledger.departedMembers(at: "b:1883")
    #expect(departed.map(\.filter) == ["gpu"] && departed.map(\.worker) == ["one"])
    #expect(try ledger.departedMembers(at: "b:1883").count == 1)
    try #require(try members.adopt(departed[0])).complete()
    #expect(try ledger.departedMembers(at: "b:1883").isEmpty)
    #expect(try members.member(volume.worker("one"))?.state == .away)
    #expect(try members.member(volume.worker("one-b"), SessionName.mark(of: "gpu"))?.state == .away)
  }

  @Test func fileWithAMarkOfAnotherFilterIsNoMember() throws {
    var forged = further("two", "gpu")
    forged.filter = VolumeFixture.filter
    try members.join(forged).end(.left)
    #expect(try departed(of: VolumeFixture.filter).isEmpty)
  }
}
