import Foundation
import Glibc
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// Brokers that can do less than mosquitto, or say it in another way: a worker says what it misses.
@Suite struct OtherBrokersTests {
  /// CONNACK of MQTT 5 with these properties.
  private static func accepted(_ properties: [UInt8]) -> [UInt8] {
    let count = UInt8(properties.count)
    return [0x20, 3 + count, 0, 0, count] + properties
  }

  @Test func shorterSessionExpiryIsToldWithBothFigures() async throws {
    let broker = try ScriptedBroker {
      .bytes($0.kind == .connect ? Self.accepted([0x11, 0, 0, 1, 0x2C]) : $0.usualAnswer)
    }
    try await Scene.play(.down) { scene in
      let worker = try scene.worker(["-u", "mqtt://127.0.0.1:\(broker.port)"])
      try await worker.says("for 300 s only, not for the 604800 s of --session-expiry")
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
  }

  /// Some say it in CONNACK (MQTT 5, section 3.2.2.3.13), and some end the connection at SUBSCRIBE.
  @Test(arguments: [true, false])
  func brokerWithoutSharedSubscriptionsIsNamedAsOne(_ saysSoAtOnce: Bool) async throws {
    let broker = try ScriptedBroker { packet in
      switch packet.kind {
      case .connect where saysSoAtOnce: .bytes(Self.accepted([0x2A, 0]))
      case .subscribe where packet.text.contains("$share"): .last([0xE0, 2, 0x9E, 0])
      default: .bytes(packet.usualAnswer)
      }
    }
    try await Scene.play(.down) { scene in
      let worker = try scene.worker(on: group, ["-u", "mqtt://127.0.0.1:\(broker.port)"])
      #expect(try await worker.end() == .code(78))
      #expect(worker.log.contains("Shared Subscriptions not supported (0x9E)"), "\(worker.log)")
      #expect(worker.log.contains("give each worker a topic of its own, without $share"), "\(worker.log)")
      #expect(!worker.log.contains("in use"))
    }
  }

  /// MQTT 3.1.1 has no DISCONNECT of a broker. It is not taken for another client with the same id.
  @Test func connectionThatEndsAtASharedSubscriptionIsToldAsThat() async throws {
    let broker = try ScriptedBroker { packet in
      switch packet.kind {
      case .connect: .bytes([0x20, 2, 0, 0])
      case .subscribe where packet.text.contains("$share"): .last([])
      case .subscribe: .bytes([0x90, 3] + packet.identifier + [1])
      case .unsubscribe: .bytes([0xB0, 2] + packet.identifier)
      default: .bytes(packet.usualAnswer)
      }
    }
    try await Scene.play(.down) { scene in
      let worker = try scene.worker(on: group, ["-v", "4", "-u", "mqtt://127.0.0.1:\(broker.port)"])
      let sentence = "instead of an answer to SUBSCRIBE to '\(group)'; if it does so each time, it has no shared"
      try await eventually("the fourth try") {
        worker.log.components(separatedBy: sentence).count > 4
      }
      #expect(!worker.log.contains("in use"), "\(worker.log)")
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test(arguments: [("4", 0), ("5", 78)] as [(String, Int32)])
  func brokerThatSpeaksOnlyTheOlderVersionIsNamedAsOne(_ version: String, _ status: Int32) async throws {
    let broker = try ScriptedBroker { packet in
      switch packet.kind {
      case .connect: packet.protocolLevel == 5 ? .last([]) : .bytes([0x20, 2, 0, 0])
      case .subscribe: .bytes([0x90, 3] + packet.identifier + [1])
      default: .bytes(packet.usualAnswer)
      }
    }
    try await Scene.play(.down) { scene in
      let worker = try scene.worker(["-v", version, "-u", "mqtt://127.0.0.1:\(broker.port)"])
      if version == "4" {
        try await eventually("its subscription") { broker.packets.contains { $0.text.contains("jobs/pending") } }
        worker.send(SIGTERM)
      }
      #expect(try await worker.end() == .code(status), "\(worker.log)")
      #expect(worker.log.contains("does not answer on MQTT 5, but speaks 3.1.1") == (version == "5"), "\(worker.log)")
    }
  }

  /// A worker needs two connections. mosquitto closes the second without a word.
  @Test func brokerThatAcceptsOneConnectionIsNotTakenForOneWithTLS() async throws {
    try await Scene.play(broker: .init("max_connections 1")) { scene in
      let worker = try scene.worker([])
      try await worker.says("it may have reached its limit of connections")
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
  }

  /// It accepts `$share/…` as the name of a topic, to which nobody publishes.
  @Test func brokerThatTakesShareForATopicIsNoticed() async throws {
    let broker = try ScriptedBroker { packet in
      switch packet.kind {
      case .connect: .bytes([0x20, 2, 0, 0])
      case .subscribe: .bytes([0x90, 3] + packet.identifier + [1])
      case .unsubscribe: .bytes([0xB0, 2] + packet.identifier)
      default: .bytes(packet.usualAnswer)
      }
    }
    try await Scene.play(.down) { scene in
      let worker = try scene.worker(
        on: group, ["-v", "4", "--heartbeat", "1s", "-u", "mqtt://127.0.0.1:\(broker.port)"])
      try await worker.says("no request may ever come")
      #expect(worker.log.contains("it takes $share for an ordinary topic"), "\(worker.log)")
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
    // The account has the rights of the example only.
    let rules = "user worker\ntopic read jobs/pending\ntopic write jobs/#\ntopic readwrite workers/waiting"
    try await Scene.play(broker: .acl(rules)) { scene in
      let worker = try scene.worker(
        on: group, ["-v", "4", "--heartbeat", "1s"], environment: ["MQTT_USERNAME": "worker"])
      // "Client … disconnected" or "Client … closed its connection": a nudge may arrive as the trial ends.
      try await scene.broker.logged("Client worker-01-trial")
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
      #expect(!worker.log.contains("no request may ever come"), "\(worker.log)")
    }
  }

  /// NanoMQ discards a session's queue at UNSUBSCRIBE, and sends one message at each of its retries.
  @Test func queueOfAMemberThatHasLeftIsTakenBeforeItsSubscriptionEnds() async throws {
    let queue = SlowQueue(["job-1", "job-2", "job-3", "job-4"])
    let broker = try ScriptedBroker { .bytes(queue.answer($0)) }
    try await Scene.play(.down) { scene in
      for id in queue.ids { try scene.job(id, steps: [.string(scene.noteRun)]) }
      let member: JSON = [
        "worker": "gone", "clientId": "gone", "filter": .string(group),
        "broker": .string("127.0.0.1:\(broker.port)"), "state": "left",
        "process": ["host": "elsewhere", "bootId": "b", "pid": 1, "startTime": "1", "pidNamespace": "p"],
      ]
      try scene.write(member.text, scene.jobs.appending(".worker/members/gone.left"))
      let worker = try scene.worker(
        on: group, ["--jobs", "4", "--queue-interval", "1s", "-u", "mqtt://127.0.0.1:\(broker.port)"])
      #expect(try await worker.end() == .code(0), "\(worker.log)")
      for id in queue.ids { #expect(scene.result(id)["status"] == "success" && scene.runs(id) == 1, "\(id)") }
      #expect(scene.members.filter { $0.hasPrefix("gone") }.isEmpty)
    }
  }
}

/// The queue of the session `gone`: the first message comes with CONNACK, each further one half a second after the PUBACK of
/// the one before, and what is left at UNSUBSCRIBE is discarded.
private final class SlowQueue: Sendable {
  let ids: [String]
  private let state: Mutex<(left: ArraySlice<String>, connection: Int)>

  init(_ ids: [String]) {
    self.ids = ids
    state = Mutex((ids[...], 0))
  }

  func answer(_ packet: ScriptedBroker.Packet) -> [UInt8] {
    let isOfSession = state.withLock { state in
      if packet.kind == .connect, packet.clientID == "gone" { state.connection = packet.connection }
      return state.connection == packet.connection
    }
    guard isOfSession else { return packet.usualAnswer }
    switch packet.kind {
    case .connect: return packet.usualAnswer + next()
    case .puback:
      usleep(500_000)
      return next()
    case .unsubscribe where packet.text.contains(group):
      state.withLock { $0.left = [] }
      return packet.usualAnswer
    default: return packet.usualAnswer
    }
  }

  private func next() -> [UInt8] {
    guard let id = state.withLock({ $0.left.popFirst() }) else { return [] }
    let (topic, payload) = (Array("jobs/pending".utf8), Array(#"{"id":"\#(id)"}"#.utf8))
    let body = [0, UInt8(topic.count)] + topic + [0, UInt8(id.utf8.last ?? 0), 0] + payload
    return [0x32, UInt8(body.count)] + body
  }
}
