import MQTT
import TestSupport
import Testing

/// Brokers that violate the protocol or do not answer.
@Suite struct BrokerFaultsTests {
  private func options(_ broker: ScriptedBroker, _ version: ProtocolVersion = .v5) -> SessionOptions {
    var options = SessionOptions(host: "127.0.0.1", port: broker.port, clientID: "client")
    options.version = version
    return options
  }

  @Test(arguments: [ScriptedBroker.Packet.Kind.subscribe, .publish, .unsubscribe])
  func brokerThatNeverAnswersIsLeftForAnotherConnection(_ kind: ScriptedBroker.Packet.Kind) async throws {
    let broker = try ScriptedBroker { packet in
      .bytes(packet.kind == kind && packet.connection == 1 ? [] : packet.usualAnswer)
    }
    var options = options(broker)
    options.answerWithin = .milliseconds(300)
    let session = try Session(options, logger: silent)
    let reading = Reading(session)
    _ = try await reading.connected()
    let filter = try TopicFilter("topic")
    let asked = Task {
      switch kind {
      case .subscribe: try await session.subscribe(filter)
      case .unsubscribe: try await session.unsubscribe(filter)
      default: _ = try await session.publish(Message("topic", "x"))
      }
    }
    let loss = try await reading.connectionLost()
    #expect("\(loss)".contains("did not answer") && "\(loss)".contains("'topic'"), "\(loss)")
    try await asked.value
    await session.disconnect()
  }

  @Test func deliveryThatIsHeldForLongIsNoSilenceOfTheBroker() async throws {
    let broker = try ScriptedBroker { packet in
      // PUBLISH with QoS 1 to "t", packet 7.
      .bytes(packet.usualAnswer + (packet.kind == .subscribe ? [0x32, 7, 0, 1, 0x74, 0, 7, 0, 0x78] : []))
    }
    var options = options(broker)
    options.answerWithin = .milliseconds(300)
    let session = try Session(options, logger: silent)
    let reading = Reading(session)
    try await session.subscribe(try TopicFilter("t"))
    let delivery = try await reading.delivery()
    async let code = session.publish(Message("topic", "x"))
    try await Task.sleep(for: .milliseconds(800))
    await delivery.acknowledge()
    #expect(try await code == .success)
    await session.disconnect()
    #expect(broker.packets.filter { $0.kind == .connect }.count == 1)
  }

  /// 0x7F is not a property. An assertion of libmosquitto 2.0.11 fails on it, which would end the process.
  @Test(arguments: [ScriptedBroker.Packet.Kind.connect, .subscribe])
  func propertyThatIsNoneCostsAConnectionOnly(_ kind: ScriptedBroker.Packet.Kind) async throws {
    let broker = try ScriptedBroker { packet in
      guard packet.connection == 1 else { return .bytes(packet.usualAnswer) }
      switch packet.kind {
      case .connect where kind == .connect: return .bytes([0x20, 5, 0, 0, 2, 0x7F, 0])
      case .subscribe: return .bytes(packet.usualAnswer + [0x32, 9, 0, 1, 0x74, 0, 7, 2, 0x7F, 0, 0x78])
      default: return .bytes(packet.usualAnswer)
      }
    }
    let session = try Session(options(broker), logger: silent)
    try await session.connected()
    try await session.subscribe(try TopicFilter("t"))
    #expect(try await session.publish(Message("topic", "x")) == .success)
    try await eventually("another connection") { broker.packets.contains { $0.connection == 2 } }
    #expect(try await session.publish(Message("topic", "y")) == .success)
    await session.disconnect()
  }

  @Test(arguments: [ProtocolVersion.v5, .v311])
  func brokerThatCutsEveryConnectionSoonIsTriedOnAndOn(_ version: ProtocolVersion) async throws {
    let broker = try ScriptedBroker { packet in
      let answer = packet.kind == .connect && version == .v311 ? [0x20, 2, 0, 0] : packet.usualAnswer
      return packet.kind == .connect && packet.connection > 5 ? .bytes(answer) : .last(answer)
    }
    let session = try Session(options(broker, version), logger: silent)
    let reading = Reading(session)
    try await eventually("the sixth connection") { broker.packets.contains { $0.connection == 6 } }
    #expect(await reading.failureSoFar() == nil)
    session.drop()
  }

  @Test func refusalsAreToldByTheirNames() async throws {
    let cases: [(code: UInt8, word: String, isLasting: Bool)] = [
      (0x97, "Quota exceeded (0x97)", false), (0x9B, "max_qos", true), (0x88, "Server unavailable (0x88)", false),
    ]
    for (code, word, isLasting) in cases {
      let broker = try ScriptedBroker { packet in
        packet.kind == .connect ? .last([0x20, 3, 0, code, 0]) : .bytes(packet.usualAnswer)
      }
      let session = try Session(options(broker), logger: silent)
      let reading = Reading(session)
      let error = try await isLasting ? reading.failure() : reading.connectionLost()
      #expect("\(error)".contains(word), "\(error)")
      session.drop()
    }
  }

  @Test func brokerWithoutQoS1IsRefused() async throws {
    try await Broker.running(Broker.Options("max_qos 0")) { broker in
      let session = try Session(broker.sessionOptions("client"), logger: silent)
      guard case .unsupported(let text) = try await Reading(session).failure() else {
        Issue.record("it is told as something else")
        return
      }
      #expect(text.contains("max_qos"))
    }
  }

  @Test func sharedSubscriptionThatABrokerDoesNotHaveIsNamedAsOne() async throws {
    let broker = try ScriptedBroker {
      .bytes($0.kind == .subscribe ? [0x90, 4] + $0.identifier + [0, 0x9E] : $0.usualAnswer)
    }
    try await Session.withSession(options(broker), logger: silent) { session in
      let refusals = try await session.subscribe([TopicFilter("$share/group/topic")])
      #expect(refusals.first?.description.contains("no shared subscriptions") == true, "\(refusals)")
    }
  }

  /// Mosquitto drops it for this client. With Receive Maximum 1 the next one arrives on another connection only.
  @Test func messageBeyondWhatTheClientTakesDoesNotArrive() async throws {
    try await Broker.running { broker in
      var options = broker.sessionOptions("client")
      options.maximumPacketSize = 2000
      options.receiveMaximum = 1
      options.quietFor = .milliseconds(500)
      options.sessionExpiry = 3600
      let session = try Session(options, logger: silent)
      let reading = Reading(session)
      try await session.subscribe(try TopicFilter("topic"))
      for size in [3000, 10] {
        try await broker.publish([Message(topic: "topic", payload: [UInt8](repeating: 0x2E, count: size))])
      }
      let delivery = try await reading.delivery()
      #expect(delivery.message.payload.count == 10)
      await delivery.acknowledge()
      await session.disconnect()
    }
  }
}
