import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

@Suite(.timeLimit(.minutes(5))) struct ApprovalStoreTests {
  private let volume: VolumeFixture
  private let ledger: Ledger
  private let store: ApprovalStore

  init() throws {
    volume = try VolumeFixture()
    ledger = try volume.ledger()
    store = ledger.approvals
  }

  private func park(_ id: String = "job", _ request: String = "r") throws -> ParkedRequest {
    try ledger.parkingRoom.put(envelope(id, request), JobID(id))
    return try #require(try store.parked().first { $0.envelope.requestId.text == request })
  }

  private func decision(_ decision: Approval.Decision, by name: String = "ada", on parked: ParkedRequest) -> Approval {
    Approval(decision, by: name, requestDigest: parked.envelope.digest)
  }

  private var parkedNames: [String] {
    get throws { try volume.names(ledger.parkingRoom.folder) }
  }

  @Test func nothingWaitsWhereNothingWasParked() throws {
    #expect(try store.parked().isEmpty)
    try store.finish(of: VolumeFixture.filter)
  }

  @Test func requestIsLetGoWithWhatWasDecidedAndAsItCame() throws {
    let parked = try park("job.with-dots")
    #expect(parked.filter == VolumeFixture.filter)
    let approval = decision(.approved, on: parked)
    #expect(try store.decide(approval, on: parked))
    let ticket = try #require(try ledger.waitingRoom.tickets().first)
    #expect(ticket.id.text == "job.with-dots" && ticket.envelope.approval == approval)
    var asItCame = ticket.envelope
    asItCame.approval = nil
    #expect(asItCame == parked.envelope)
    #expect(try parkedNames == [])
  }

  /// The deciding process may be root, with a umask that excludes others.
  @Test func ticketIsReadableForThoseForWhomTheParkedOneWas() throws {
    let parked = try park()
    chmod(parked.ticket.path.string, 0o664)
    var before = stat()
    stat(parked.ticket.path.string, &before)
    #expect(try store.decide(decision(.approved, on: parked), on: parked))
    var after = stat()
    stat(try #require(try ledger.waitingRoom.tickets().first).path.string, &after)
    #expect(after.st_mode == before.st_mode && after.st_uid == before.st_uid && after.st_gid == before.st_gid)
  }

  @Test func oneOfManyWhoDecideAtOnceDoes() async throws {
    let (store, parked) = (store, try park())
    let winners = try await withThrowingTaskGroup(of: String?.self) { group in
      for number in 0..<8 {
        let approval = decision(number % 2 == 0 ? .approved : .rejected, by: "\(number)", on: parked)
        group.addTask { try await onThread { try store.decide(approval, on: parked) ? approval.by : nil } }
      }
      return try await group.reduce(into: []) { names, name in names += name.map { [$0] } ?? [] }
    }
    #expect(winners.count == 1)
    #expect(try ledger.waitingRoom.tickets().map { $0.envelope.approval?.by } == winners)
    #expect(try parkedNames == [])
  }

  /// Whatever became of it meanwhile.
  @Test func decisionComesTooLateWhenTheRequestIsGone() throws {
    let parked = try park()
    #expect(try store.decide(decision(.rejected, on: parked), on: parked))
    for ticket in try ledger.waitingRoom.tickets() { #expect(try ledger.waitingRoom.remove(ticket)) }
    #expect(try !store.decide(decision(.approved, on: parked), on: parked))
    #expect(try ledger.waitingRoom.tickets().isEmpty)
    #expect(try parkedNames == [])
  }

  /// Somebody was killed before the request was renamed: nothing was decided.
  @Test func decisionThatWasOnlyWrittenDownIsNone() throws {
    let parked = try park()
    let stem = String(parked.ticket.path.name.dropLast(5))
    let left = ledger.parkingRoom.folder.appending("\(stem).abc.decision")
    try volume.write("{}", left)
    try store.finish(of: VolumeFixture.filter)
    #expect(try store.parked().count == 1)
    #expect(try ledger.waitingRoom.tickets().isEmpty)
    #expect(try store.decide(decision(.approved, on: parked), on: parked))
    #expect(try ledger.waitingRoom.tickets().count == 1)
    #expect(try parkedNames == [])
  }

  /// Somebody was killed after that: it was.
  @Test func decisionIsGoneOnWithWhereverItsMakerDied() throws {
    for moved in [false, true] {
      let parked = try park()
      let stem = String(parked.ticket.path.name.dropLast(5))
      let folder = ledger.parkingRoom.folder
      var decided = parked.envelope
      decided.approval = decision(.approved, on: parked)
      try DurableFile.create(folder.appending("\(stem).abc.decision"), DurableFile.line(decided, for: folder))?
        .close()
      #expect(try DurableFile.move(parked.ticket.path, to: folder.appending("\(stem).abc.decided")))
      if moved {
        try DurableFile.makeFolder(ledger.waitingRoom.folder)
        let place = DeferredQueue.freePath(like: "\(stem).json", in: ledger.waitingRoom.folder)
        #expect(try DurableFile.move(folder.appending("\(stem).abc.decision"), to: place))
      }
      #expect(try store.parked().isEmpty)
      try store.finish(of: VolumeFixture.filter)
      #expect(try ledger.waitingRoom.tickets().map(\.envelope) == [decided])
      #expect(try parkedNames == [])
      for ticket in try ledger.waitingRoom.tickets() { #expect(try ledger.waitingRoom.remove(ticket)) }
    }
  }

  @Test func ticketThatIsMovedGivesWayToOneOfItsName() throws {
    try ledger.waitingRoom.put(envelope("job", "one"), JobID("job"))
    let ticket = try #require(try ledger.waitingRoom.tickets().first)
    try DurableFile.makeFolder(ledger.parkingRoom.folder)
    let name = ticket.path.name
    let other = try DurableFile.line(envelope("job", "two"), for: ledger.parkingRoom.folder)
    try DurableFile.create(ledger.parkingRoom.folder.appending(name), other)?.close()
    #expect(try ledger.parkingRoom.admit(ticket))
    #expect(try store.parked().map(\.envelope.requestId.text) == ["two", "one"])
    #expect(try !ledger.parkingRoom.admit(ticket))
  }

  @Test func largestInstantInANameIsNoTrap() throws {
    let folder = ledger.parkingRoom.folder
    try DurableFile.makeFolder(folder)
    try volume.write("{}", folder.appending("\(Int64.max)-job.json"))
    #expect(
      DeferredQueue.freePath(like: "\(Int64.max)-job.json", in: folder).name == "\(Int64.min)-job.json")
  }
}
