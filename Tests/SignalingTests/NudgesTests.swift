import Synchronization
import TestSupport
import Testing

@testable import Jobs
@testable import MQTT
@testable import Signaling
@testable import Steps
@testable import Worker

/// What workers tell each other about the volume.
@Suite struct NudgesTests {
  /// A worker that counts what it hears.
  private final class Member: Sendable {
    let session: Session
    let nudges: Nudges
    let state: WorkerState
    let heard = Mutex<[String]>([])

    init(_ broker: Broker, _ number: Int, _ filter: String, _ version: ProtocolVersion = .v5) throws {
      var options = broker.sessionOptions("worker-\(number)-control")
      options.version = version
      session = try Session(options, giveUpAfter: patience, logger: silent)
      state = try .testing(try VolumeFixture())
      nudges = Nudges(session, requests: [try TopicFilter(filter)], state: state)
    }

    func run() async {
      await withTaskGroup { group in
        group.addTask { [self] in
          for await case .delivery(let delivery) in session.events {
            await delivery.acknowledge()
            nudges.receive(delivery.message)
          }
          nudges.finish()
        }
        group.addTask { [self] in for await filter in nudges.heard { heard.withLock { $0.append(filter) } } }
        group.addTask { [self] in await nudges.followWorker() }
      }
    }

    func begin() async throws {
      try await session.connected()
      #expect(try await session.subscribe(nudges.filters()).isEmpty)
    }

    var count: Int { heard.withLock { $0.count } }
  }

  /// Runs members, one for each filter, beside `body`.
  private func fleet(
    _ broker: Broker, _ filters: [String], _ version: ProtocolVersion = .v5, _ body: ([Member]) async throws -> Void
  ) async throws {
    let members = try filters.enumerated().map { try Member(broker, $0, $1, version) }
    try await withThrowingDiscardingTaskGroup { group in
      for member in members { group.addTask { await member.run() } }
      for member in members { try await member.begin() }
      try await body(members)
      for member in members {
        member.state.end()
        await member.session.disconnect()
      }
    }
  }

  private func place() throws -> JobPlace { JobPlace(try JobID("job"), attempt: 1) }

  @Test func nudgeReachesAFewOfItsKind() async throws {
    let kind = "$share/cpu/jobs/pending"
    try await Broker.running { broker in
      try await fleet(broker, Array(repeating: kind, count: 8) + ["$share/gpu/jobs/pending"]) { members in
        members[0].nudges.send(kind)
        try await eventually("the copies") { members[..<8].map(\.count).reduce(0, +) == 3 }
        // The next one comes after the last of the former.
        members[0].nudges.send("last")
        try await eventually("the next ones") { members[..<8].map(\.count).reduce(0, +) == 6 }
        // One worker of each other kind hears each of them.
        try await eventually("the other kind's") { members[8].count == 6 }
      }
    }
  }

  @Test func workerWithAJobIsPassedOver() async throws {
    let kind = "$share/cpu/jobs/pending"
    try await Broker.running { broker in
      try await fleet(broker, Array(repeating: kind, count: 4)) { members in
        for member in members[1...] { member.state.begin(try place()) }
        // At once, and after they have left their groups.
        for _ in 0..<2 {
          let before = members[0].count
          members[1].nudges.send(kind)
          try await eventually("the idle one hears it") { members[0].count > before }
          try await broker.logged("Sending UNSUBACK to worker-3-control\n")
        }
        #expect(members[1...].allSatisfy { $0.count == 0 })
        members[2].state.finishJob()
        members[0].state.begin(try place())
        try await eventually("the one that is idle now hears it") {
          members[1].nudges.send(kind)
          return members[2].count > 0
        }
      }
    }
  }

  /// There sessions of the killed never expire, and would get messages for ever.
  @Test func workersOnAnOlderProtocolAllHearIt() async throws {
    try await Broker.running { broker in
      try await fleet(broker, ["jobs/a", "jobs/a", "jobs/b"], .v311) { members in
        members[0].nudges.send("jobs/a")
        try await eventually("all") { members.allSatisfy { $0.count == 3 } }
      }
    }
  }

  @Test func nudgeThatCameToAWorkerWithALongJobGoesOn() async throws {
    try await Broker.running { broker in
      let bus = try await broker.collect("workers/waiting")
      try await fleet(broker, ["jobs/a"]) { members in
        members[0].state.begin(try place())
        try await broker.publish("workers/waiting", "jobs/a")
        try await broker.publish("workers/waiting", "jobs/b")
        try await eventually("what goes on") { bus.messages.count == 5 }
        #expect(bus.messages.suffix(3).allSatisfy { $0.text == "jobs/a" } && members[0].count == 0)
      }
    }
  }

  /// What is told while one has just been told of is told after a moment.
  @Test func manyNudgesAreFewMessagesAndTheLastIsNotLost() async throws {
    try await Broker.running { broker in
      let bus = try await broker.collect("workers/waiting")
      try await fleet(broker, ["jobs/a"]) { members in
        for _ in 0..<50 { members[0].nudges.send("jobs/a") }
        try await eventually("the last ones") { bus.messages.count == 6 }
        members[0].nudges.send("jobs/b")
        try await eventually("those of another kind") { bus.messages.count == 9 }
      }
    }
  }
}
