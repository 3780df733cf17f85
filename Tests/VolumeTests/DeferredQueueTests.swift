import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

@Suite(.timeLimit(.minutes(5))) struct DeferredQueueTests {
  private let volume: VolumeFixture
  private let room: DeferredQueue

  init() throws {
    volume = try VolumeFixture()
    room = try volume.ledger().waitingRoom
  }

  @Test func emptyRoomIsNoFolder() throws {
    #expect(try room.count() == 0)
    #expect(try room.tickets().isEmpty)
  }

  @Test func oldestTicketComesFirst() throws {
    let ids = (1...20).map { "job-\($0)" }
    for id in ids { try room.put(envelope(id, "r-\(id)"), try JobID(id)) }
    #expect(try room.tickets().map(\.id.text) == ids)
    #expect(try room.count() == 20)
  }

  @Test func ticketHoldsTheRequestAsItCame() throws {
    var request = envelope("job", "order-4711")
    request.responseTopic = "replies/1"
    request.correlationData = [0, 255]
    try room.put(request, try JobID("job"))
    #expect(try room.tickets().map(\.envelope) == [request])
  }

  @Test func twoRequestsForOneJobAreTwoTickets() throws {
    try room.put(envelope("job", "one"), try JobID("job"))
    try room.put(envelope("job", "two"), try JobID("job"))
    #expect(try room.tickets().map(\.envelope.requestId.text) == ["one", "two"])
  }

  @Test func requestThatComesAgainIsNotPutDownTwice() throws {
    try room.put(envelope("job", "order"), try JobID("job"))
    try room.put(envelope("job", "order"), try JobID("job"))
    let made = { (instant: Int64, again: Bool) in
      Envelope(
        payload: "{}", topic: "t",
        requestId: RequestID(
          session: "w", epoch: "e", packetID: 7, digest: "d", instant: instant, isRedelivery: again))
    }
    try room.put(made(1, false), try JobID("other"))
    try room.put(made(2, true), try JobID("other"))
    #expect(try room.tickets().map(\.id.text) == ["job", "other"])
    // Not sent again, but a later message with the same packet identifier.
    try room.put(made(3, false), try JobID("other"))
    #expect(try room.tickets().count == 3)
  }

  @Test func oneOfManyTakesATicketAway() async throws {
    let room = room
    try room.put(envelope("job", "r"), try JobID("job"))
    let ticket = try #require(try room.tickets().first)
    let winners = try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 { group.addTask { try await onThread { try room.remove(ticket) } } }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(winners == 1)
    #expect(try room.count() == 0)
  }

  /// Its writer died before it was whole, so that the request was never acknowledged.
  @Test func halfWrittenTicketIsNoneAndIsRemovedWhenItIsOld() throws {
    try room.put(envelope("whole", "r"), try JobID("whole"))
    let path = room.folder.appending("1-job.json")
    try volume.write("{\"payload\":", path)
    #expect(try room.tickets().map(\.id.text) == ["whole"])
    #expect(volume.text(path) != nil)
    age(path, .seconds(61))
    #expect(try room.tickets().map(\.id.text) == ["whole"])
    #expect(volume.text(path) == nil)
  }

  @Test func blankIsRemovedWhenItIsOldAndWhatIsWholeIsNot() throws {
    try room.putWhole(envelope("whole", "r"), try JobID("whole"))
    let blank = room.folder.appending("1-job.json")
    try volume.write("", blank)
    try volume.write("{", DurableFile.draft(of: blank))
    for ticket in try room.tickets() { age(ticket.path, .seconds(1000)) }
    try room.removeBlanks()
    #expect(try volume.names(room.folder).count == 3)
    age(blank, .seconds(61))
    try room.removeBlanks()
    #expect(try room.tickets().map(\.id.text) == ["whole"])
    #expect(try volume.names(room.folder).count == 1)
  }

  @Test func otherFilesAreNoTickets() throws {
    try room.put(envelope("whole", "r"), try JobID("whole"))
    for name in ["README", "job.json", "x-job.json", "1-.json", "1-job.json.tmp"] {
      try volume.write("{}", room.folder.appending(name))
      age(room.folder.appending(name), .seconds(1000))
    }
    #expect(try room.tickets().map(\.id.text) == ["whole"])
    #expect(try volume.names(room.folder).count == 6)
  }

  @Test func roomsOfTwoFiltersAreApart() throws {
    try room.put(envelope("job", "r"), try JobID("job"))
    #expect(try volume.ledger(filter: "gpu/pending").waitingRoom.tickets().isEmpty)
    #expect(try volume.ledger("other").waitingRoom.tickets().count == 1)
  }
}
