import MQTT
import TestSupport
import Testing

@Suite struct SessionLimitsTests {
  @Test func limitsAreThoseOfCONNACK() async throws {
    try await Broker.running(Broker.Options("max_packet_size 2000", "retain_available false")) { broker in
      try await Session.withSession(broker.sessionOptions("client"), logger: silent) { session in
        #expect(session.limits.maximumPacketSize == 2000)
        #expect(!session.limits.isRetainAvailable)
        #expect(session.limits.maximumQoS == .atLeastOnce)
      }
    }
    try await Broker.running { broker in
      var options = broker.sessionOptions("client")
      options.sessionExpiry = 100
      try await Session.withSession(options, logger: silent) { session in
        // mosquitto 2.1 has a limit of its own, and tells it.
        #expect([nil, 2_000_000].contains(session.limits.maximumPacketSize))
        #expect(session.limits.isRetainAvailable)
        #expect(session.limits.sessionExpiry == 100)
      }
    }
  }

  @Test func shorterSessionExpiryIsSeen() async throws {
    let broker = try ScriptedBroker {
      // CONNACK with Session Expiry 7, Shared Subscription Available 0.
      .bytes($0.kind == .connect ? [0x20, 10, 0, 0, 7, 0x11, 0, 0, 0, 7, 0x2A, 0] : $0.usualAnswer)
    }
    var options = SessionOptions(host: "127.0.0.1", port: broker.port, clientID: "client")
    options.sessionExpiry = 3600
    try await Session.withSession(options, logger: silent) { session in
      #expect(session.limits.sessionExpiry == 7)
      #expect(!session.limits.hasSharedSubscriptions)
    }
  }

  @Test(arguments: [
    MessageProperties(),
    MessageProperties(
      responseTopic: "replies/1", correlationData: [1, 2, 3], contentType: "text/plain", messageExpiry: 60,
      userProperties: [UserProperty(name: "name", value: "value")]),
  ])
  func whatIsAsLargeAsTheLimitArrivesAndOneByteMoreIsToldBeforeItIsSent(_ properties: MessageProperties) async throws {
    try await Broker.running(Broker.Options("max_packet_size 2000")) { broker in
      try await Session.withSession(broker.sessionOptions("client"), logger: silent) { session in
        let empty = Message(topic: "topic", payload: [], properties: properties)
        // The Remaining Length takes one byte more from 128 bytes on.
        let room = 2000 - empty.packetSize(.v5) - 1
        for size in [room, room + 1, room] {
          let message = Message(topic: "topic", payload: [UInt8](repeating: 0x2E, count: size), properties: properties)
          #expect(message.packetSize(.v5) == 2000 + size - room)
          if size == room {
            try await expect(.noMatchingSubscribers, publishing: message, session)
          } else {
            await #expect(throws: MQTTError.packetTooLarge(limit: 2000)) { try await session.publish(message) }
          }
        }
        session.send(Message(topic: "topic", payload: [UInt8](repeating: 0x2E, count: 5000)))
        try await expect(.noMatchingSubscribers, publishing: Message("topic", "small"), session)
      }
      #expect(broker.logged("Received CONNECT from") + broker.logged("New client connected") == 1)
    }
  }

  @Test func brokerThatDropsALargeMessageWithAReasonIsHeard() async throws {
    try await Broker.running(Broker.Options("message_size_limit 1000")) { broker in
      try await Session.withSession(broker.sessionOptions("client"), logger: silent) { session in
        let large = Message(topic: "topic", payload: [UInt8](repeating: 0x2E, count: 1001))
        await #expect(throws: MQTTError.packetTooLarge(limit: large.packetSize(.v5) - 1)) {
          try await session.publish(large)
        }
        try await expect(.noMatchingSubscribers, publishing: Message("topic", "small"), session)
      }
    }
  }

  /// The broker ends the connection because of a packet that is too large, and does not say which of several.
  @Test func brokerThatDoesNotAnnounceItsLimitCostsOneConnection() async throws {
    let broker = try ScriptedBroker { packet in
      if packet.bytes.count > 1000 { return .last([0xE0, 2, 0x95, 0]) }
      return .bytes(packet.usualAnswer)
    }
    let options = SessionOptions(host: "127.0.0.1", port: broker.port, clientID: "client")
    let session = try Session(options, logger: silent)
    try await session.connected()
    let large = Message(topic: "large", payload: [UInt8](repeating: 0x2E, count: 3000))
    async let small = session.publish(Message("small", "x"))
    await #expect(throws: MQTTError.packetTooLarge(limit: large.packetSize(.v5) - 1)) {
      try await session.publish(large)
    }
    let code = try await small
    #expect(code == .success)
    #expect(session.limits.maximumPacketSize == large.packetSize(.v5) - 1)
    // Now the limit is known.
    await #expect(throws: MQTTError.self) { try await session.publish(large) }
    try await expect(.success, publishing: Message("small", "y"), session)
    await session.disconnect()
    #expect(broker.packets.filter { $0.kind == .connect }.count == 2)
  }

  @Test(arguments: [ProtocolVersion.v5, .v311])
  func brokerWithoutRetentionGetsWillAndMessagesUnretained(_ version: ProtocolVersion) async throws {
    try await Broker.running(Broker.Options("retain_available false")) { broker in
      let seen = try await broker.collect("#")
      var options = broker.sessionOptions("client")
      options.version = version
      options.will = Message(topic: "will", payload: [1], retention: version == .v5 ? .retained : .notRetained)
      let session = try Session(options, giveUpAfter: .seconds(10), logger: silent)
      try await session.connected()
      if version == .v5 {
        #expect(try await session.publish(Message(topic: "topic", payload: [2], retention: .retained)) == .success)
        #expect(try await seen.message { $0.topic == "topic" }.retention == .notRetained)
      }
      session.drop()
      #expect(try await seen.message { $0.topic == "will" }.retention == .notRetained)
    }
  }

  private func expect(_ code: ReasonCode, publishing message: Message, _ session: Session) async throws {
    #expect(try await session.publish(message) == code)
  }
}
