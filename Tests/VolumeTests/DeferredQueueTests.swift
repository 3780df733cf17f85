import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

@Suite(.timeLimit(.minutes(5))) struct DeferredQueueTests {
  private let volume: VolumeFixture
  private let queue: DeferredQueue

  init() throws {
    volume = try VolumeFixture()
    queue = try volume.ledger().deferredQueue
  }

  @Test func emptyRoomIsNoFolder() throws {
    #expect(try queue.count() == 0)
    #expect(try queue.requests().isEmpty)
  }

  @Test func oldestRequestComesFirst() throws {
    let ids = (1...20).map { "job-\($0)" }
    for id in ids { try queue.put(envelope(id, "r-\(id)"), try JobID(id)) }
    #expect(try queue.requests().map(\.id.text) == ids)
    #expect(try queue.count() == 20)
  }

  @Test func fileHoldsTheRequestAsItCame() throws {
    var request = envelope("job", "order-4711")
    request.responseTopic = "replies/1"
    request.correlationData = [0, 255]
    try queue.put(request, try JobID("job"))
    #expect(try queue.requests().map(\.envelope) == [request])
  }

  @Test func twoRequestsForOneJobAreDeferredTwice() throws {
    try queue.put(envelope("job", "one"), try JobID("job"))
    try queue.put(envelope("job", "two"), try JobID("job"))
    #expect(try queue.requests().map(\.envelope.requestId.text) == ["one", "two"])
  }

  @Test func requestThatComesAgainIsNotDeferredTwice() throws {
    try queue.put(envelope("job", "order"), try JobID("job"))
    try queue.put(envelope("job", "order"), try JobID("job"))
    let made = { (instant: Int64, again: Bool) in
      Envelope(
        payload: "{}", topic: "t",
        requestId: RequestID(
          session: "w", epoch: "e", packetID: 7, digest: "d", instant: instant, isRedelivery: again))
    }
    try queue.put(made(1, false), try JobID("other"))
    try queue.put(made(2, true), try JobID("other"))
    #expect(try queue.requests().map(\.id.text) == ["job", "other"])
    // This is not a redelivery, but a later message with the same packet identifier.
    try queue.put(made(3, false), try JobID("other"))
    #expect(try queue.requests().count == 3)
  }

  @Test func oneOfManyTakesADeferredRequestAway() async throws {
    let queue = queue
    try queue.put(envelope("job", "r"), try JobID("job"))
    let deferred = try #require(try queue.requests().first)
    let winners = try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 { group.addTask { try await onThread { try queue.remove(deferred) } } }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(winners == 1)
    #expect(try queue.count() == 0)
  }

  /// Its writer died while writing it, so the request was never acknowledged.
  @Test func halfWrittenRequestIsNoneAndIsRemovedWhenItIsOld() throws {
    try queue.put(envelope("whole", "r"), try JobID("whole"))
    let path = queue.folder.appending("1-job.json")
    try volume.write("{\"payload\":", path)
    #expect(try queue.requests().map(\.id.text) == ["whole"])
    #expect(volume.text(path) != nil)
    age(path, .seconds(61))
    #expect(try queue.requests().map(\.id.text) == ["whole"])
    #expect(volume.text(path) == nil)
  }

  @Test func blankIsRemovedWhenItIsOldAndWhatIsWholeIsNot() throws {
    try queue.putWhole(envelope("whole", "r"), try JobID("whole"))
    let blank = queue.folder.appending("1-job.json")
    try volume.write("", blank)
    try volume.write("{", DurableFile.draft(of: blank))
    for deferred in try queue.requests() { age(deferred.path, .seconds(1000)) }
    try queue.removeBlanks()
    #expect(try volume.names(queue.folder).count == 3)
    age(blank, .seconds(61))
    try queue.removeBlanks()
    #expect(try queue.requests().map(\.id.text) == ["whole"])
    #expect(try volume.names(queue.folder).count == 1)
  }

  @Test func otherFilesAreNoRequests() throws {
    try queue.put(envelope("whole", "r"), try JobID("whole"))
    for name in ["README", "job.json", "x-job.json", "1-.json", "1-job.json.tmp"] {
      try volume.write("{}", queue.folder.appending(name))
      age(queue.folder.appending(name), .seconds(1000))
    }
    #expect(try queue.requests().map(\.id.text) == ["whole"])
    #expect(try volume.names(queue.folder).count == 6)
  }

  @Test func roomsOfTwoFiltersAreApart() throws {
    try queue.put(envelope("job", "r"), try JobID("job"))
    #expect(try volume.ledger(filter: "gpu/pending").deferredQueue.requests().isEmpty)
    #expect(try volume.ledger("other").deferredQueue.requests().count == 1)
  }
}
