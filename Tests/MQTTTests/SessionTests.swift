import MQTT
import TestSupport
import Testing

@Suite struct SessionTests {
  @Test func connectsAgainAfterTheBrokerRestarted() async throws {
    try await Broker.running { broker in
      var options = broker.sessionOptions("client")
      options.sessionExpiry = 3600
      let session = try Session(options, logger: silent)
      let reading = Reading(session)
      #expect(try await reading.connected() == .new)
      try await session.subscribe(try TopicFilter("topic"))
      try await broker.restart()
      guard case .unreachable = try await reading.connectionLost() else {
        Issue.record("the loss is not told as one that may pass")
        return
      }
      #expect(try await reading.connected() == .resumed)
      try await broker.publish("topic", "after the restart")
      let delivery = try await reading.delivery()
      #expect(delivery.message.text == "after the restart")
      await delivery.acknowledge()
      await session.disconnect()
    }
  }

  @Test func brokerThatWantsToHearMoreOftenDoes() async throws {
    try await Broker.running(Broker.Options("max_keepalive 10")) { broker in
      var options = broker.sessionOptions("client")
      options.keepAlive = 60
      let session = try Session(options, logger: silent)
      let reading = Reading(session)
      _ = try await reading.connected()
      // With the client's own keep-alive of 60 seconds, the broker would end the connection after 15 seconds.
      try await broker.logged("Received PINGREQ from client")
      #expect(!broker.log.contains("exceeded timeout"))
      await session.disconnect()
    }
  }

  @Test func publicationWaitsForABrokerThatIsDown() async throws {
    try await Broker.running { broker in
      var options = broker.sessionOptions("client")
      options.sessionExpiry = 3600
      let session = try Session(options, logger: silent)
      let reading = Reading(session)
      _ = try await reading.connected()
      try await broker.stop()
      _ = try await reading.connectionLost()
      async let code = session.publish(Message("topic", "held"))
      try await broker.start()
      #expect(try await code == .noMatchingSubscribers)
      await session.disconnect()
    }
  }

  @Test func callerThatIsCancelledWaitsNoLongerAndItsMessageIsNotSentLater() async throws {
    try await Broker.running { broker in
      var durable = broker.sessionOptions("listener")
      durable.sessionExpiry = 3600
      let listener = try Session(durable, logger: silent)
      let hearing = Reading(listener)
      try await listener.subscribe(try TopicFilter("topic"))
      let session = try Session(broker.sessionOptions("client"), logger: silent)
      let reading = Reading(session)
      _ = try await reading.connected()
      try await broker.stop()
      _ = try await reading.connectionLost()
      let publication = Task { try await session.publish(Message("topic", "held")) }
      publication.cancel()
      await #expect(throws: MQTTError.self) { try await publication.value }
      try await broker.start()
      _ = try await session.publish(Message("topic", "next"))
      let delivery = try await hearing.delivery()
      #expect(delivery.message.text == "next")
      await delivery.acknowledge()
      await session.disconnect()
      await listener.disconnect()
    }
  }

  @Test func publishTellsWhetherAnybodySubscribes() async throws {
    try await Broker.running { broker in
      #expect(try await broker.publish("topic", "lost") == .noMatchingSubscribers)
      let seen = try await broker.collect("topic")
      #expect(try await broker.publish("topic", "taken") == .success)
      try await seen.message { $0.text == "taken" }
      #expect(seen.messages.count == 1)
    }
  }

  @Test func publishThatTheACLForbidsIsAnswered() async throws {
    try await Broker.running(.acl("user guest\ntopic read allowed")) { broker in
      var options = broker.sessionOptions("client")
      options.credentials = Credentials(username: "guest", password: nil)
      try await Session.withSession(options, logger: silent) { session in
        #expect(try await session.publish(Message("forbidden", "x")) == .notAuthorized)
        // The session continues nevertheless.
        try await session.subscribe(try TopicFilter("allowed"))
      }
    }
  }

  @Test func subscriptionThatTheBrokerRefusesNamesItsTopic() async throws {
    try await Broker.running(.refusingSubscriptions(to: "forbidden")) { broker in
      try await Session.withSession(broker.sessionOptions("client"), logger: silent) { session in
        do {
          try await session.subscribe(try TopicFilter("forbidden"))
          Issue.record("the subscription was taken")
        } catch MQTTError.refused(let text) {
          #expect(text.contains("'forbidden'"))
        }
        // The session continues.
        try await session.subscribe(try TopicFilter("allowed"))
      }
    }
  }

  @Test(arguments: [ProtocolVersion.v5, .v311])
  func ofSeveralSubscriptionsThoseThatTheBrokerTakesAreThere(_ version: ProtocolVersion) async throws {
    try await Broker.running(.refusingSubscriptions(to: "forbidden")) { broker in
      var options = broker.sessionOptions("client")
      options.version = version
      let session = try Session(options, logger: silent)
      let reading = Reading(session)
      let refusals = try await session.subscribe(["first", "forbidden", "last"].map { try TopicFilter($0) })
      #expect(refusals.count == 1 && "\(refusals)".contains("'forbidden'"))
      for topic in ["forbidden", "last", "first"] { try await broker.publish(topic, topic) }
      for topic in ["last", "first"] {
        let delivery = try await reading.delivery()
        #expect(delivery.message.topic == topic)
        await delivery.acknowledge()
      }
      #expect(broker.logged("Received SUBSCRIBE from client\n") == 1)
      await session.disconnect()
    }
  }

  @Test func wrongPasswordEndsTheSessionAtOnce() async throws {
    var options = Broker.Options()
    options.anonymous = .refused(users: ["worker": "secret"])
    try await Broker.running(options) { broker in
      for version in [ProtocolVersion.v5, .v311] {
        var options = broker.sessionOptions("client")
        options.version = version
        options.credentials = Credentials(username: "worker", password: "wrong")
        let session = try Session(options, logger: silent)
        do {
          try await session.connected()
          Issue.record("the connection was taken")
        } catch MQTTError.refused(let text) {
          #expect(text.contains("check user name, password and ACL"))
        }
        options.credentials = Credentials(username: "worker", password: "secret")
        try await Session.withSession(options, logger: silent) { _ in }
      }
    }
  }

  /// The PUBACKs are still in flight when the session closes its end.
  @Test func willIsNotPublishedByAClientThatLeavesRightAfterItPublished() async throws {
    try await Broker.running { broker in
      let seen = try await broker.collect("wills")
      for number in 1...20 {
        var options = broker.sessionOptions("client-\(number)")
        options.will = Message("wills", "lost")
        let session = try Session(options, logger: silent)
        try await session.connected()
        for _ in 1...3 { session.send(Message("topic", "last words")) }
        await session.disconnect()
      }
      try await broker.publish("wills", "end")
      try await seen.message { $0.text == "end" }
      #expect(seen.messages.count == 1)
    }
  }

  @Test func willIsPublishedOnlyWithoutADisconnect() async throws {
    try await Broker.running { broker in
      let seen = try await broker.collect("wills")
      for version in [ProtocolVersion.v5, .v311] {
        var options = broker.sessionOptions("client")
        options.version = version
        options.will = Message("wills", "in order")
        try await Session.withSession(options, logger: silent) { _ in }
        options.will = Message("wills", "dropped \(version)")
        let session = try Session(options, logger: silent)
        try await session.connected()
        session.drop()
        try await seen.message { $0.text == "dropped \(version)" }
      }
      #expect(seen.messages.count == 2)
    }
  }

  @Test func propertiesArriveAsTheyWereSent() async throws {
    try await Broker.running { broker in
      let properties = MessageProperties(
        responseTopic: "replies/1", correlationData: [0, 255, 10, 0], contentType: "application/json",
        messageExpiry: 600,
        userProperties: [
          UserProperty(name: "a", value: "1"), UserProperty(name: "b", value: ""), UserProperty(name: "a", value: "ü"),
        ])
      let seen = try await broker.collect("topic")
      try await broker.publish("topic", "x", properties: properties)
      var received = try await seen.message().properties
      // The broker subtracts the time that the message waited.
      #expect((590...600).contains(received.messageExpiry ?? 0))
      received.messageExpiry = 600
      #expect(received == properties)
    }
  }

  @Test func olderProtocolCarriesMessagesWithoutProperties() async throws {
    try await Broker.running { broker in
      let seen = try await broker.collect("topic", version: .v311)
      let properties = MessageProperties(responseTopic: "replies/1", messageExpiry: 600)
      #expect(try await broker.publish("topic", "five", properties: properties) == .success)
      #expect(try await broker.publish("topic", "four", properties: properties, version: .v311) == .success)
      #expect(try await seen.messages(2).map(\.text) == ["five", "four"])
      #expect(seen.messages.allSatisfy { $0.properties == MessageProperties() })
    }
  }

  @Test func emptyAndBinaryPayloadsArrive() async throws {
    try await Broker.running { broker in
      let seen = try await broker.collect("topic")
      let binary = Message(topic: "topic", payload: (0...255).map { UInt8($0) }, qos: .atMostOnce)
      try await broker.publish([Message("topic", ""), binary])
      let messages = try await seen.messages(2)
      #expect(messages[0].payload.isEmpty)
      #expect(messages[1].payload == binary.payload)
      #expect(messages.map(\.qos) == [.atLeastOnce, .atMostOnce])
    }
  }

  @Test func retainedMessageIsKnownAsOneEvenWhenItComesLive() async throws {
    try await Broker.running { broker in
      let live = try await broker.collect("topic")
      try await broker.publish("topic", "kept", .retained)
      #expect(try await live.message().retention == .retained)
      let late = try await broker.collect("topic")
      #expect(try await late.message().retention == .retained)
      try await broker.publish("topic", "passing")
      #expect(try await late.message { $0.text == "passing" }.retention == .notRetained)
    }
  }

  @Test func sessionThatWasTakenOverSaysThatTheClientIDIsInUse() async throws {
    try await Broker.running { broker in
      let first = try Session(broker.sessionOptions("client"), logger: silent)
      let reading = Reading(first)
      _ = try await reading.connected()
      let second = try Session(broker.sessionOptions("client"), logger: silent)
      guard case .clientIDInUse(let text) = try await reading.failure() else {
        Issue.record("it is told as something else")
        return
      }
      #expect(text.contains("'client'"))
      await #expect(throws: MQTTError.self) { try await first.publish(Message("topic", "x")) }
      try await second.connected()
      await second.disconnect()
    }
  }

  @Test func olderProtocolFindsOutByBeingCutThreeTimes() async throws {
    try await Broker.running { broker in
      var options = broker.sessionOptions("client")
      options.version = .v311
      let sessions = [try Session(options, logger: silent), try Session(options, logger: silent)]
      let readings = sessions.map { Reading($0) }
      let failure = try await eventually("one of two to give up") {
        if let failure = await readings[0].failureSoFar() { failure } else { await readings[1].failureSoFar() }
      }
      for session in sessions { session.drop() }
      guard case .clientIDInUse = failure else {
        Issue.record("it gave up for another reason")
        return
      }
    }
  }

  @Test func brokerThatIsNotThereIsUnreachableAfterTheTimeGiven() async throws {
    try await Broker.running { broker in
      let options = broker.sessionOptions("client")
      try await broker.stop()
      let session = try Session(options, giveUpAfter: .seconds(1), logger: silent)
      do {
        try await session.connected()
        Issue.record("it connected")
      } catch MQTTError.unreachable(let text) {
        #expect(text.contains("127.0.0.1:\(broker.port)"))
      }
    }
  }

  @Test func cleanStartDiscardsWhatWasQueued() async throws {
    try await Broker.running { broker in
      try await broker.makeSession("client", on: "topic")
      try await broker.publish("topic", "queued")
      #expect(try await broker.sessions()["client"] == BrokerSession(filters: ["topic"], queued: 1))
      var options = broker.sessionOptions("client")
      options.start = .clean
      let session = try Session(options, logger: silent)
      #expect(try await Reading(session).connected() == .new)
      await session.disconnect()
      #expect(try await broker.sessions()["client"] == nil)
    }
  }

  @Test func disconnectCanEndADurableSession() async throws {
    try await Broker.running { broker in
      try await broker.makeSession("client", on: "topic")
      #expect(try await broker.sessions()["client"]?.filters == ["topic"])
      var options = broker.sessionOptions("client")
      options.sessionExpiry = 3600
      let session = try Session(options, logger: silent)
      #expect(try await Reading(session).connected() == .resumed)
      await session.disconnect(sessionExpiry: 0)
      try await broker.session(of: "client") { $0 == nil }
    }
  }

  @Test func nothingComesAfterUnsubscribing() async throws {
    try await Broker.running { broker in
      let session = try Session(broker.sessionOptions("client"), logger: silent)
      let reading = Reading(session)
      try await session.subscribe(try TopicFilter("a"))
      try await session.subscribe(try TopicFilter("b"))
      try await session.unsubscribe(try TopicFilter("a"))
      #expect(try await broker.publish("a", "x") == .noMatchingSubscribers)
      try await broker.publish("b", "y")
      let delivery = try await reading.delivery()
      #expect(delivery.message.text == "y")
      await delivery.acknowledge()
      await session.disconnect()
    }
  }
}
