import Foundation
import MQTT
import Synchronization
import TestSupport
import Testing

/// The worker's guarantee depends on this behaviour of the installed libmosquitto and mosquitto: a PUBACK leaves only
/// when the caller says so.
@Suite struct WithheldAcknowledgementTests {
  private func options(_ broker: Broker, _ version: ProtocolVersion) -> SessionOptions {
    var options = broker.sessionOptions("worker-01")
    options.version = version
    options.sessionExpiry = 3600
    options.receiveMaximum = 1
    return options
  }

  /// A session with three messages queued for it.
  private func queueThree(_ broker: Broker, _ version: ProtocolVersion) async throws {
    try await Session.withSession(options(broker, version), logger: silent) { session in
      try await session.subscribe(try TopicFilter("jobs/pending"))
    }
    try await broker.publish([.init("jobs/pending", "1"), .init("jobs/pending", "2"), .init("jobs/pending", "3")])
  }

  @Test(arguments: [ProtocolVersion.v5, .v311])
  func messageThatWasNotAcknowledgedComesAgain(_ version: ProtocolVersion) async throws {
    try await Broker.running { broker in
      try await queueThree(broker, version)
      let first = try Session(options(broker, version), logger: silent)
      let delivery = try await Reading(first).delivery()
      #expect(delivery.message.text == "1")
      #expect(!delivery.isRedelivery)
      first.drop()
      try await broker.session(of: "worker-01") { $0?.queued == 3 }

      let second = try Session(options(broker, version), logger: silent)
      let reading = Reading(second)
      let again = try await reading.delivery()
      #expect(again.message.text == "1")
      #expect(again.isRedelivery)
      #expect(again.packetID == delivery.packetID)
      second.drop()
    }
  }

  @Test(arguments: [ProtocolVersion.v5, .v311])
  func messageThatWasAcknowledgedNeverComesAgain(_ version: ProtocolVersion) async throws {
    try await Broker.running { broker in
      try await queueThree(broker, version)
      for expected in ["1", "2", "3"] {
        let session = try Session(options(broker, version), logger: silent)
        let delivery = try await Reading(session).delivery()
        #expect(delivery.message.text == expected)
        await delivery.acknowledge()
        // The next connection must not come before this one has ended: that is what the loop of a worker does, too.
        await session.disconnect()
      }
      try await broker.session(of: "worker-01") { $0?.queued == 0 }
    }
  }

  @Test func nothingElseLeavesWhileADeliveryIsUndecided() async throws {
    try await Broker.running { broker in
      try await queueThree(broker, .v5)
      let session = try Session(options(broker, .v5), logger: silent)
      let delivery = try await Reading(session).delivery()
      let seen = try await broker.collect("reports")
      session.send(Message("reports", "from the held session"))
      // The broker serves a later client, so the held message would have arrived by now.
      try await broker.publish("reports", "from another")
      try await seen.message { $0.text == "from another" }
      #expect(seen.messages.count == 1)
      #expect(broker.logged("Received PUBACK from worker-01") == 0)
      await delivery.acknowledge()
      try await seen.message { $0.text == "from the held session" }
      try await broker.logged("Received PUBACK from worker-01")
      session.drop()
    }
  }

  @Test func furtherMessagesStayInTheSessionWhileOneIsHeld() async throws {
    try await Broker.running { broker in
      try await queueThree(broker, .v5)
      let session = try Session(options(broker, .v5), logger: silent)
      let reading = Reading(session)
      let delivery = try await reading.delivery()
      #expect(try await broker.sessions()["worker-01"]?.queued == 3)
      #expect(broker.logged("Sending PUBLISH to worker-01") == 1)
      await delivery.acknowledge()
      #expect(try await reading.delivery().message.text == "2")
      session.drop()
      try await broker.session(of: "worker-01") { $0?.queued == 2 }
    }
  }

  /// A reader that takes one message at a time must not wait for a PUBACK that is queued behind the next message.
  @Test func acknowledgementThatTheBrokerDoesNotTakeYetComesBeforeTheNextMessage() async throws {
    try await Broker.running { broker in
      var options = options(broker, .v5)
      options.receiveMaximum = 20
      let session = try Session(options, logger: silent)
      try await session.subscribe(try TopicFilter("jobs/pending"))
      let reading = Reading(session)
      try await broker.publish([.init("jobs/pending", "1"), .init("jobs/pending", "2")])
      let first = try await reading.delivery()
      try await broker.logged("Sending PUBLISH to worker-01", times: 2)
      session.send(Message(topic: "logs", payload: [UInt8](repeating: 0x20, count: 64 << 20), qos: .atMostOnce))
      try await broker.freeze()
      let isOut = Mutex(false)
      let acknowledging = Task {
        await first.acknowledge()
        isOut.withLock { $0 = true }
      }
      try await eventually("a connection that takes no more") { unsent(to: broker.port) > 0 }
      broker.thaw()
      try await eventually("the acknowledgement") { isOut.withLock { $0 } }
      await acknowledging.value
      let second = try await reading.delivery()
      #expect(second.message.text == "2")
      await second.acknowledge()
      try await broker.session(of: "worker-01") { $0?.queued == 0 }
      session.drop()
    }
  }

  /// One read brings several packets while publications are in flight, and with libmosquitto 2.1 on 3.1.1 always. The
  /// library sends all PUBACKs or none.
  @Test(arguments: [ProtocolVersion.v5, .v311], ["drop", "disconnect"])
  func whatIsAcknowledgedStaysSoWhenTheSessionEndsOverAnotherMessage(
    _ version: ProtocolVersion, _ end: String
  ) async throws {
    let broker = try ScriptedBroker { packet in
      switch packet.kind {
      case .connect: .bytes(version == .v5 ? packet.usualAnswer : [0x20, 2, 0, 0])
      case .publish where packet.bytes.last == UInt8(ascii: "3"): .bytes(publications([7, 8], version))
      default: .bytes([])
      }
    }
    var options = SessionOptions(host: "127.0.0.1", port: broker.port, clientID: "client")
    options.version = version
    let session = try Session(options, logger: silent)
    let reading = Reading(session)
    _ = try await reading.connected()
    for number in 1...3 { session.send(Message("events", "\(number)")) }
    let first = try await reading.delivery()
    let second = try await reading.delivery()
    #expect([first.packetID, second.packetID] == [7, 8])
    await first.acknowledge()
    if end == "drop" { session.drop() } else { await session.disconnect() }
    try await eventually("the PUBACK") { broker.packets.contains { $0.kind == .puback } }
    #expect(broker.packets.filter { $0.kind == .puback }.map(\.identifier) == [[0, 7]])
    #expect(!broker.packets.contains { $0.kind == .disconnect })
  }

  /// Bytes queued in connections to `port`, from /proc/net/tcp: `sl local remote state tx_queue:rx_queue …`.
  private func unsent(to port: UInt16) -> Int {
    let bytes = try? FileHandle(forReadingAtPath: "/proc/net/tcp")?.readToEnd()
    let table = String(decoding: bytes ?? Data(), as: UTF8.self)
    let end = ":" + String(0x10000 + Int(port), radix: 16, uppercase: true).dropFirst()
    return table.split(separator: "\n").map { $0.split(separator: " ") }.filter { $0.count > 4 && $0[2].hasSuffix(end) }
      .compactMap { Int($0[4].prefix(8), radix: 16) }.reduce(0, +)
  }

  @Test func disconnectWithAnUndecidedDeliveryKeepsItWithTheBroker() async throws {
    try await Broker.running { broker in
      try await queueThree(broker, .v5)
      let session = try Session(options(broker, .v5), logger: silent)
      _ = try await Reading(session).delivery()
      await session.disconnect()
      let next = try Session(options(broker, .v5), logger: silent)
      let again = try await Reading(next).delivery()
      #expect(again.message.text == "1")
      #expect(again.isRedelivery)
      next.drop()
    }
  }

  @Test func lateAcknowledgementOfALostConnectionSaysNothingOfTheNext() async throws {
    try await Broker.running { broker in
      try await queueThree(broker, .v5)
      let session = try Session(options(broker, .v5), logger: silent)
      let reading = Reading(session)
      let stale = try await reading.delivery()
      try await broker.restart()
      // The loop reads nothing while the delivery is undecided; afterwards it finds the connection closed.
      await stale.acknowledge()
      let again = try await reading.delivery()
      #expect(again.message.text == "1")
      #expect(again.isRedelivery)
      await stale.acknowledge()
      #expect(try await broker.sessions()["worker-01"]?.queued == 3)
      await again.acknowledge()
      #expect(try await reading.delivery().message.text == "2")
      session.drop()
    }
  }

  /// A client that only looks: it gets all that has arrived before it decides about the first, and acknowledges them
  /// together.
  @Test(arguments: [ProtocolVersion.v5, .v311])
  func whoReadsAheadGetsSeveralBeforeTheFirstIsDecided(_ version: ProtocolVersion) async throws {
    let broker = try ScriptedBroker { packet in
      guard packet.kind == .connect else { return .bytes([]) }
      let accepted = version == .v5 ? packet.usualAnswer : [0x20, 2, 0, 0]
      return .bytes(accepted + publications([1, 2, 3], version))
    }
    var options = SessionOptions(host: "127.0.0.1", port: broker.port, clientID: "client")
    options.version = version
    options.receiveMaximum = 20
    options.readsAhead = 2
    let session = try Session(options, logger: silent)
    let reading = Reading(session)
    let (first, second) = (try await reading.delivery(), try await reading.delivery())
    #expect([first, second].map(\.packetID) == [1, 2])
    first.acknowledgeSoon()
    #expect(!broker.packets.contains { $0.kind == .puback })
    second.acknowledgeSoon()
    let third = try await reading.delivery()
    #expect(third.packetID == 3)
    await third.acknowledge()
    try await eventually("three PUBACKs") { broker.packets.filter { $0.kind == .puback }.count == 3 }
    #expect(broker.packets.filter { $0.kind == .puback }.map(\.identifier) == [[0, 1], [0, 2], [0, 3]])
    session.drop()
  }

  /// PUBLISH packets with QoS 1 to "t".
  private func publications(_ identifiers: [UInt8], _ version: ProtocolVersion) -> [UInt8] {
    let properties: [UInt8] = version == .v5 ? [0] : []
    return identifiers.flatMap { [0x32, UInt8(6 + properties.count), 0, 1, 0x74, 0, $0] + properties + [0x78] }
  }

  /// With publications in flight the library reads as many packets at once: deliveries of one read must not wait for
  /// each other.
  @Test(arguments: [ProtocolVersion.v5, .v311])
  func whoAcknowledgesOneAfterTheOtherGetsAll(_ version: ProtocolVersion) async throws {
    try await Broker.running { broker in
      let session = try Session(options(broker, version), logger: silent)
      try await session.subscribe(try TopicFilter("nudges"))
      let seen = Mutex<[String]>([])
      let firstIsHeld = Mutex(false)
      let (gate, opening) = AsyncStream.makeStream(of: Void.self)
      let consumer = Task {
        for await event in session.events {
          guard case .delivery(let delivery) = event else { continue }
          if !firstIsHeld.withLock({ $0 }) {
            firstIsHeld.withLock { $0 = true }
            for await _ in gate { break }
          }
          await delivery.acknowledge()
          seen.withLock { $0.append(delivery.message.text) }
        }
      }
      let numbers = (0..<20).map { "\($0)" }
      try await broker.publish(numbers.map { Message(topic: "nudges", payload: Array($0.utf8), qos: .atMostOnce) })
      try await eventually("the first") { firstIsHeld.withLock { $0 } }
      for _ in 0..<20 { session.send(Message("events", "x")) }
      try await broker.publish("nudges", "last")
      opening.yield()
      // The broker may process QoS 0 publications, which are not acknowledged to the publisher, after a later one.
      try await eventually("the rest") { seen.withLock { $0.count } == numbers.count + 1 }
      #expect(seen.withLock { Set($0) } == Set(numbers + ["last"]))
      await session.disconnect()
      await consumer.value
    }
  }
}
