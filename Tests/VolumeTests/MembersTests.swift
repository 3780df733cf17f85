import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

@Suite(.timeLimit(.minutes(5))) struct MembersTests {
  private let volume: VolumeFixture

  init() throws {
    volume = try VolumeFixture()
  }

  private func members(_ lease: Duration = .seconds(60)) throws -> Members {
    try volume.ledger(lease: lease).members
  }

  private func member(
    _ worker: String, _ process: ProcessIdentity = .elsewhere, filter: String = VolumeFixture.filter,
    broker: String = "b:1883"
  ) -> Member {
    Member(worker: worker, clientId: worker, filter: filter, broker: broker, process: process)
  }

  private func departed(_ members: Members) throws -> [Member] {
    try members.departed(filter: VolumeFixture.filter, broker: "b:1883", except: try volume.worker("one"))
  }

  private func hasOthers(_ members: Members) throws -> Bool {
    try members.hasOthers(filter: VolumeFixture.filter, broker: "b:1883", except: try volume.worker("one"))
  }

  private func file(_ worker: String) -> VolumePath { volume.directory.members.appending("\(worker).json") }

  @Test func idIsInUseWhileAnotherProcessTouchesItsFile() async throws {
    let members = try members()
    try members.join(member("one")).end(.present)
    let path = file("one")
    let toucher = Task {
      for second in 0... where !Task.isCancelled {
        age(path, .seconds(second % 30))
        try await Task.sleep(for: .milliseconds(10))
      }
    }
    defer { toucher.cancel() }
    #expect(try await members.isInUse(try volume.worker("one")))
    #expect(try await !members.isInUse(try volume.worker("two")))
  }

  @Test func idIsFreeWhenNobodyTouchesItsFileForALease() async throws {
    let members = try members(.milliseconds(300))
    let membership = try members.join(member("one"))
    try membership.end(.present)
    #expect(try await !members.isInUse(try volume.worker("one")))
  }

  @Test(arguments: [Member.State.away, .left]) func idIsFreeOnceItsProcessHasEnded(_ state: Member.State) async throws {
    let members = try members()
    try members.join(member("one")).end(state)
    #expect(try await !members.isInUse(try volume.worker("one")))
    // At once, if the process is known to be gone.
    let dead = try members.join(member("two", .predecessor))
    #expect(try await !members.isInUse(try volume.worker("two")))
    let own = try members.join(member("three", .current))
    #expect(try await !members.isInUse(try volume.worker("three")))
    withExtendedLifetime([dead, own]) {}
  }

  @Test func departedAreThoseWhoLeftAndWhoseLeaseRanOut() throws {
    let members = try members()
    try members.join(member("left")).end(.left)
    try members.join(member("away")).end(.away)
    try members.join(member("dead")).end(.present)
    try members.join(member("long-away")).end(.away)
    age(file("dead"), .seconds(61))
    age(file("long-away"), .seconds(61))
    #expect(try departed(members).map(\.worker).sorted() == ["dead", "left", "long-away"])
    #expect(try hasOthers(members))
  }

  @Test func membersOfOtherFiltersAndBrokersAndOneselfAreLeftAlone() throws {
    let members = try members()
    try members.join(member("filter", filter: "gpu/pending")).end(.left)
    try members.join(member("broker", broker: "other:1883")).end(.left)
    try members.join(member("one")).end(.left)
    #expect(try departed(members).isEmpty)
    #expect(try !hasOthers(members))
  }

  @Test func onlyTheLastWorkerOfAPlainFilterTakesOverWhatAnotherLeft() throws {
    let ledger = try volume.ledger("one", filter: "jobs/pending")
    try ledger.members.join(member("left", filter: "jobs/pending")).end(.left)
    #expect(try ledger.departedMembers(at: "b:1883").map(\.worker) == ["left"])
    try ledger.members.join(member("two", filter: "jobs/pending")).end(.away)
    #expect(try ledger.departedMembers(at: "b:1883").isEmpty)
  }

  @Test func adoptionIsExclusive() async throws {
    let volume = volume
    let members = try members()
    try members.join(member("left")).end(.left)
    let left = try #require(try members.member(try volume.worker("left")))
    let adoptions = try await withThrowingTaskGroup(of: Adoption?.self) { group in
      for number in 0..<8 {
        group.addTask { try await onThread { try volume.ledger("w\(number)").members.adopt(left) } }
      }
      return try await group.reduce(into: [Adoption]()) { if let adoption = $1 { $0.append(adoption) } }
    }
    #expect(adoptions.count == 1)
    try adoptions.first?.complete()
    #expect(try volume.names(members.folder).isEmpty)
    #expect(try members.adopt(left) == nil)
    #expect(try volume.names(members.folder).isEmpty)
  }

  @Test func adoptionThatIsAbandonedCanBeTriedAgain() throws {
    let members = try members()
    try members.join(member("left")).end(.left)
    let left = try #require(try members.member(try volume.worker("left")))
    try #require(try members.adopt(left)).abandon()
    #expect(try volume.names(members.folder) == ["left.left"])
    #expect(try members.adopt(left) != nil)
  }

  @Test func adoptionOfAWorkerThatDiedOverItIsTakenUp() throws {
    let members = try members()
    try members.join(member("left")).end(.left)
    let left = try #require(try members.member(try volume.worker("left")))
    let path = members.folder.appending("left.adoption")
    try volume.write("", path)
    #expect(try members.adopt(left) == nil)
    age(path, .seconds(61))
    #expect(try members.adopt(left) != nil)
  }

  @Test func ownerThatCameBackIsNotAdopted() throws {
    let members = try members()
    try members.join(member("one")).end(.left)
    let before = try #require(try members.member(try volume.worker("one")))
    let owner = try members.join(member("one", .current))
    #expect(try members.adopt(before) == nil)
    #expect(try volume.names(members.folder) == ["one.json"])
    withExtendedLifetime(owner) {}
  }

  @Test func ownerThatComesBackDuringTheAdoptionStaysAMember() throws {
    let members = try members()
    try members.join(member("one")).end(.left)
    let before = try #require(try members.member(try volume.worker("one")))
    let adoption = try #require(try members.adopt(before))
    let owner = try members.join(member("one", .current))
    try adoption.complete()
    #expect(try members.member(try volume.worker("one"))?.process == .current)
    #expect(try volume.names(members.folder) == ["one.json"])
    withExtendedLifetime(owner) {}
  }

  @Test(arguments: ["one", "one.left", "one.json"]) func memberComesAndGoes(_ worker: String) throws {
    let members = try members()
    let (id, filter) = (try volume.worker(worker), "jobs/pending")
    for state in [Member.State.away, .left, .away] {
      let membership = try members.join(member(worker, filter: filter))
      #expect(try members.member(id)?.state == .present)
      try membership.end(state)
      #expect(try members.member(id)?.state == state)
      #expect(
        try members.departed(filter: filter, broker: "b:1883", except: volume.worker("two")).count
          == (state == .left ? 1 : 0))
      #expect(try volume.names(members.folder) == ["\(worker).\(state == .left ? "left" : "json")"])
    }
  }

  /// A worker that is killed between the two changes of its files has both when it comes back.
  @Test func memberThatIsThereAgainHasNotLeft() throws {
    let members = try members()
    try members.join(member("one")).end(.left)
    try members.join(member("two")).end(.left)
    let back = try members.join(member("two", .current))
    try members.write(member("two"), members.leftFile(of: "two"))
    let others = try members.departed(
      filter: VolumeFixture.filter, broker: "b:1883", except: volume.worker("three"))
    #expect(others.map(\.worker) == ["one"])
    #expect(try members.member(volume.worker("two"))?.state == .present)
    withExtendedLifetime(back) {}
  }

  @Test func memberWhoseFileIsGoneLeavesAllTheSame() throws {
    let members = try members()
    let membership = try members.join(member("left"))
    try DurableFile.remove(file("left"))
    try membership.end(.left)
    #expect(try departed(members).map(\.worker) == ["left"])
  }

  /// A file of version 0.1 says only in its content that the member has left. Workers find it when its lease is over.
  @Test func memberOfVersion01ThatHasLeftIsAdopted() throws {
    let members = try members()
    var left = member("left")
    left.state = .left
    try DurableFile.makeFolder(members.folder)
    try members.write(left, file("left"))
    #expect(try departed(members).isEmpty)
    #expect(try !hasOthers(members))
    age(file("left"), .seconds(61))
    let found = try #require(try departed(members).first)
    try #require(try members.adopt(found)).complete()
    #expect(try volume.names(members.folder).isEmpty)
  }

  @Test func memberWithANewSessionIsTouchedAsBefore() async throws {
    let members = try members(.milliseconds(300))
    let membership = try members.join(member("one"))
    try membership.renew(epoch: "second")
    let path = file("one")
    let before = try #require(try members.lease.clock.touched(path))
    try await eventually("a touch") { try members.lease.clock.touched(path) ?? 0 > before }
    withExtendedLifetime(membership) {}
  }

  @Test func epochOfItsSessionIsFoundByTheNextProcess() throws {
    let members = try members()
    var first = member("one")
    first.epoch = "first"
    let membership = try members.join(first)
    #expect(try members.member(try volume.worker("one"))?.epoch == "first")
    try membership.renew(epoch: "second")
    try membership.end(.away)
    let left = try members.member(try volume.worker("one"))
    #expect(left?.epoch == "second")
    #expect(left?.state == .away)
  }

  @Test func fileOfVersion01IsAMemberWithoutAnEpoch() throws {
    let members = try members()
    try DurableFile.makeFolder(members.folder)
    let process =
      #"{"bootId":"b","host":"h","pid":7,"pidNamespace":"pid:[1]","startTime":"1"}"#
    try volume.write(
      #"{"broker":"b:1883","clientId":"two","filter":"f","process":\#(process),"state":"away","worker":"two"}"#,
      file("two"))
    let former = try #require(try members.member(try volume.worker("two")))
    #expect(former.epoch == nil)
    #expect(former.clientId == "two")
  }

  /// Workers make and remove files, and take over sessions, by the content of a member file.
  @Test(arguments: ["../../../x", "billing", "%h", ""]) func fileOfAnotherNameIsNoMember(_ worker: String) throws {
    let members = try members()
    try DurableFile.makeFolder(members.folder)
    let forged = Member(
      worker: worker, clientId: "billing", filter: VolumeFixture.filter, broker: "b:1883", process: .elsewhere)
    try members.write(forged, members.folder.appending("two.json"))
    try members.write(forged, members.folder.appending("three.left"))
    age(file("two"), .seconds(61))
    #expect(try departed(members).isEmpty)
    #expect(try members.member(try volume.worker("two")) == nil)
  }

  @Test func halfWrittenFilesAreNoMembers() throws {
    let members = try members()
    try DurableFile.makeFolder(members.folder)
    try volume.write("{\"worker\":", members.folder.appending("two.json"))
    #expect(try members.member(try volume.worker("two")) == nil)
    age(file("two"), .seconds(61))
    #expect(try departed(members).isEmpty)
  }
}
