import MQTT
import TestSupport
import Testing

@testable import Jobs
@testable import Signaling
@testable import Volume
@testable import Worker

@Suite struct PresenceTests {
  private func withPresence(
    _ broker: Broker, heartbeat: Duration = .seconds(3600),
    _ body: (Presence, WorkerState, Collector) async throws -> Void
  ) async throws {
    let volume = try VolumeFixture()
    let state = try WorkerState.testing(volume)
    let bus = try await broker.collect("workers/worker-01/status")
    let session = try Session(broker.sessionOptions(), giveUpAfter: patience, logger: silent)
    let presence = try Presence.testing(session, of: state, heartbeat: heartbeat)
    async let _ = presence.run()
    try await session.connected()
    presence.connected()
    try await body(presence, state, bus)
    await session.disconnect()
  }

  private func place(_ step: Int? = nil) throws -> JobPlace { JobPlace(try JobID("job"), attempt: 2, step: step) }

  @Test func idleWorkerThatFindsAJobAtOnceTellsOfTheJobOnly() async throws {
    try await Broker.running { broker in
      try await withPresence(broker) { presence, worker, bus in
        worker.begin(try place())
        let first = try await bus.message()
        #expect(first.json["state"] == "busy")
        #expect(first.json["job"] == "job")
        #expect(first.json["attempt"] == 2)
        #expect(first.json["memory"].number != nil && first.json["jobsFree"].number != nil)
        #expect(first.properties.messageExpiry.map { $0 <= 3 * 3600 + 1 } == true)
      }
    }
  }

  /// A job with a thousand steps of a millisecond each must not cause a thousand messages.
  @Test func lastOfManyStepsIsTold() async throws {
    try await Broker.running { broker in
      try await withPresence(broker) { presence, worker, bus in
        worker.begin(try place())
        try await bus.message { $0.json["state"] == "busy" }
        for step in 0..<1000 { worker.move(to: try place(step)) }
        try await bus.message { $0.json["step"] == 999 }
        #expect(bus.messages.count <= 3)
      }
    }
  }

  @Test func statusIsToldAgainOnEveryConnection() async throws {
    try await Broker.running { broker in
      try await withPresence(broker) { presence, worker, bus in
        try await bus.message { $0.json["state"] == "idle" }
        presence.disconnected()
        worker.begin(try place())
        presence.connected()
        try await bus.message { $0.json["state"] == "busy" }
      }
    }
  }

  @Test func nothingIsToldAfterTheEnd() async throws {
    try await Broker.running { broker in
      try await withPresence(broker) { presence, worker, bus in
        try await bus.message { $0.json["state"] == "idle" }
        presence.end(.away)
        try await bus.message { $0.json["reason"] == "away" }
        presence.end(.left)
        worker.begin(try place())
        presence.connected()
        try await broker.publish("workers/worker-01/status", "end")
        try await bus.message { $0.text == "end" }
        #expect(bus.messages.dropLast().map { $0.json["reason"] } == [.null, "away"])
      }
    }
  }

  @Test func heartbeatTellsWithoutAChange() async throws {
    try await Broker.running { broker in
      try await withPresence(broker, heartbeat: .seconds(1)) { _, _, bus in
        let beats = try await bus.messages(3)
        #expect(beats.allSatisfy { $0.json["state"] == "idle" && $0.json["heartbeat"] == 1 })
        #expect(Set(beats.map { $0.json["since"].string }).count == 1)
      }
    }
  }
}
