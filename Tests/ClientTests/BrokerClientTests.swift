import MQTT
import TestSupport
import Testing

@testable import Client
@testable import Volume

@Suite struct BrokerClientTests {
  private func options(_ broker: Broker, user: String? = nil) -> SessionOptions {
    var options = broker.sessionOptions()
    options.start = .clean
    if let user { options.credentials = Credentials(username: user, password: nil) }
    return options
  }

  @Test func messageGoesToTheStreamOfItsFilter() async throws {
    try await Broker.running { broker in
      try await BrokerClient.withClient(options(broker), logger: silent) { client in
        let events = try await client.messages(on: try TopicFilter("jobs/events/#"))
        let results = try await client.messages(on: try TopicFilter("jobs/results/+"))
        try await broker.publish([
          Message("jobs/results/a", "1"), Message("jobs/events/a", "2"), Message("jobs/results/b", "3"),
        ])
        #expect(try await first(2, of: results) == ["1", "3"])
        #expect(try await first(1, of: events) == ["2"])
      }
    }
  }

  @Test func retainedMessageComesThoughItWasSentBefore() async throws {
    try await Broker.running { broker in
      try await broker.publish("workers/a/status", "idle", .retained)
      try await BrokerClient.withClient(options(broker), logger: silent) { client in
        let presence = try await client.messages(on: try TopicFilter("workers/+/status"))
        #expect(try await first(1, of: presence) == ["idle"])
      }
    }
  }

  @Test func subscriptionsAreThereAgainAfterTheBrokerRestarted() async throws {
    try await Broker.running { broker in
      try await BrokerClient.withClient(options(broker), logger: silent) { client in
        let messages = try await client.messages(on: try TopicFilter("topic"))
        try await broker.restart()
        try await eventually("a message that is taken") {
          try await broker.publish("topic", "after") == .success
        }
        #expect(try await first(1, of: messages) == ["after"])
      }
    }
  }

  @Test func publicationTellsThatNobodyListens() async throws {
    try await Broker.running { broker in
      try await BrokerClient.withClient(options(broker), logger: silent) { client in
        let code = try await client.publish(Message("jobs/pending", "{}"))
        #expect(code == .noMatchingSubscribers)
      }
    }
  }

  @Test func brokerThatIsDownIsGivenUp() async throws {
    try await Broker.running { broker in
      try await broker.stop()
      do {
        try await BrokerClient.withClient(options(broker), giveUpAfter: .milliseconds(10), logger: silent) { _ in }
        Issue.record("there was a connection")
      } catch MQTTError.unreachable(let text) {
        #expect(text.contains("\(broker.port)"))
      }
    }
  }

  @Test func brokerKeepsNothingOfTheSession() async throws {
    try await Broker.running { broker in
      var options = broker.sessionOptions("sender")
      options.sessionExpiry = 3600
      try await BrokerClient.withClient(options, logger: silent) { client in
        _ = try await client.messages(on: try TopicFilter("topic"))
      }
      try await broker.session(of: "sender") { $0 == nil }
    }
  }

  private func first(_ count: Int, of messages: AsyncThrowingStream<Message, any Error>) async throws -> [String] {
    var texts: [String] = []
    for try await message in messages {
      texts.append(message.text)
      if texts.count == count { return texts }
    }
    return texts
  }
}
