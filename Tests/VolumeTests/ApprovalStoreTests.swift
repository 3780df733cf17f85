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
    try ledger.parkedQueue.put(envelope(id, request), JobID(id))
    return try #require(try store.parked().first { $0.envelope.requestId.text == request })
  }

  private func decision(_ decision: Approval.Decision, by name: String = "ada", on parked: ParkedRequest) -> Approval {
    Approval(decision, by: name, requestDigest: parked.envelope.digest)
  }

  private var parkedNames: [String] {
    get throws { try volume.names(ledger.parkedQueue.folder) }
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
    let deferred = try #require(try ledger.deferredQueue.requests().first)
    #expect(deferred.id.text == "job.with-dots" && deferred.envelope.approval == approval)
    var asItCame = deferred.envelope
    asItCame.approval = nil
    #expect(asItCame == parked.envelope)
    #expect(try parkedNames == [])
  }

  /// The deciding process may be root, with a umask that excludes others.
  @Test func deferredRequestIsReadableForThoseForWhomTheParkedOneWas() throws {
    let parked = try park()
    chmod(parked.request.path.string, 0o664)
    var before = stat()
    stat(parked.request.path.string, &before)
    #expect(try store.decide(decision(.approved, on: parked), on: parked))
    var after = stat()
    stat(try #require(try ledger.deferredQueue.requests().first).path.string, &after)
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
    #expect(try ledger.deferredQueue.requests().map { $0.envelope.approval?.by } == winners)
    #expect(try parkedNames == [])
  }

  /// The decision is too late, whatever happened to the request.
  @Test func decisionComesTooLateWhenTheRequestIsGone() throws {
    let parked = try park()
    #expect(try store.decide(decision(.rejected, on: parked), on: parked))
    for deferred in try ledger.deferredQueue.requests() { #expect(try ledger.deferredQueue.remove(deferred)) }
    #expect(try !store.decide(decision(.approved, on: parked), on: parked))
    #expect(try ledger.deferredQueue.requests().isEmpty)
    #expect(try parkedNames == [])
  }

  /// The approver's process was killed before it renamed the request: nothing is decided.
  @Test func decisionThatWasOnlyWrittenDownIsNone() throws {
    let parked = try park()
    let stem = String(parked.request.path.name.dropLast(5))
    let left = ledger.parkedQueue.folder.appending("\(stem).abc.decision")
    try volume.write("{}", left)
    try store.finish(of: VolumeFixture.filter)
    #expect(try store.parked().count == 1)
    #expect(try ledger.deferredQueue.requests().isEmpty)
    #expect(try store.decide(decision(.approved, on: parked), on: parked))
    #expect(try ledger.deferredQueue.requests().count == 1)
    #expect(try parkedNames == [])
  }

  /// The approver's process was killed after the rename: the request is decided.
  @Test func decisionIsGoneOnWithWhereverItsMakerDied() throws {
    for moved in [false, true] {
      let parked = try park()
      let stem = String(parked.request.path.name.dropLast(5))
      let folder = ledger.parkedQueue.folder
      var decided = parked.envelope
      decided.approval = decision(.approved, on: parked)
      try DurableFile.create(folder.appending("\(stem).abc.decision"), DurableFile.line(decided, for: folder))?
        .close()
      #expect(try DurableFile.move(parked.request.path, to: folder.appending("\(stem).abc.decided")))
      if moved {
        try DurableFile.makeFolder(ledger.deferredQueue.folder)
        let place = DeferredQueue.freePath(like: "\(stem).json", in: ledger.deferredQueue.folder)
        #expect(try DurableFile.move(folder.appending("\(stem).abc.decision"), to: place))
      }
      #expect(try store.parked().isEmpty)
      try store.finish(of: VolumeFixture.filter)
      #expect(try ledger.deferredQueue.requests().map(\.envelope) == [decided])
      #expect(try parkedNames == [])
      for deferred in try ledger.deferredQueue.requests() { #expect(try ledger.deferredQueue.remove(deferred)) }
    }
  }

  @Test func deferredRequestThatIsMovedGivesWayToOneOfItsName() throws {
    try ledger.deferredQueue.put(envelope("job", "one"), JobID("job"))
    let deferred = try #require(try ledger.deferredQueue.requests().first)
    try DurableFile.makeFolder(ledger.parkedQueue.folder)
    let name = deferred.path.name
    let other = try DurableFile.line(envelope("job", "two"), for: ledger.parkedQueue.folder)
    try DurableFile.create(ledger.parkedQueue.folder.appending(name), other)?.close()
    #expect(try ledger.parkedQueue.admit(deferred))
    #expect(try store.parked().map(\.envelope.requestId.text) == ["two", "one"])
    #expect(try !ledger.parkedQueue.admit(deferred))
  }

  @Test func largestInstantInANameIsNoTrap() throws {
    let folder = ledger.parkedQueue.folder
    try DurableFile.makeFolder(folder)
    try volume.write("{}", folder.appending("\(Int64.max)-job.json"))
    #expect(
      DeferredQueue.freePath(like: "\(Int64.max)-job.json", in: folder).name == "\(Int64.min)-job.json")
  }
}
