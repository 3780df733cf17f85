import TestSupport
import Testing

@testable import Jobs
@testable import MQTT
@testable import Signaling
@testable import Steps
@testable import Volume
@testable import Worker

@Suite struct ControlSessionTests {
  private func rejection(_ id: String?) throws -> ResultMessage {
    ResultMessage.rejected(id: try id.map { try JobID($0) }, error: "no such thing", workerID: "worker-01")
  }

  private func envelope(_ responseTopic: String? = nil) -> Envelope {
    Envelope(
      payload: "{}", topic: "jobs/pending", requestId: RequestID("1"), responseTopic: responseTopic,
      correlationData: [1, 2])
  }

  private func withControl(
    _ broker: Broker, user: String? = nil, _ body: (ControlSession) async throws -> Void
  ) async throws {
    var options = broker.sessionOptions("worker-01-control")
    if let user { options.credentials = Credentials(username: user, password: nil) }
    let session = try Session(options, giveUpAfter: patience, logger: silent)
    let volume = try VolumeFixture()
    let state = try WorkerState.testing(volume)
    let control = ControlSession(
      session, topics: RequestTopics(Topics(results: "jobs/results"), requests: [try TopicFilter("jobs/pending")]),
      retention: .expiring(seconds: 60),
      presence: try .testing(session, of: state), state: state, logger: silent)
    try await control.open()
    try await body(control)
    await control.close(.away)
  }

  @Test func rejectionOfAnUnknownJobGoesToItsOwnTopic() async throws {
    try await Broker.running { broker in
      let bus = try await broker.collect("jobs/#")
      try await withControl(broker) { try await $0.publish(try rejection(nil), answering: envelope()) }
      let message = try await bus.message(on: "jobs/rejected")
      #expect(message.retention == .notRetained)
      #expect(message.properties.contentType == "application/json")
      #expect(message.properties.correlationData == [1, 2])
      #expect(message.json["error"] == "no such thing")
    }
  }

  @Test func senderIsAnsweredWhereItWaits() async throws {
    try await Broker.running { broker in
      let bus = try await broker.collect("#")
      try await withControl(broker) { try await $0.publish(try rejection("a"), answering: envelope("replies/1")) }
      try await bus.message(on: "jobs/results/a")
      let answer = try await bus.message(on: "replies/1")
      #expect(answer.properties.correlationData == [1, 2])
      #expect(bus.messages.count == 2)
    }
  }

  @Test func senderThatWaitsOnTheResultsTopicIsAnsweredOnce() async throws {
    try await Broker.running { broker in
      let bus = try await broker.collect("#")
      try await withControl(broker) {
        try await $0.publish(try rejection("a"), answering: envelope("jobs/results/a"))
      }
      try await broker.publish("end", "")
      try await bus.message(on: "end")
      #expect(bus.messages(on: "jobs/results/a").count == 1)
    }
  }

  @Test func publicationThatIsRefusedNamesItsTopic() async throws {
    try await Broker.running(.acl("user worker\ntopic write elsewhere/#")) { broker in
      try await withControl(broker, user: "worker") { control in
        do {
          try await control.publish(try rejection("a"), answering: envelope())
          Issue.record("the broker took it")
        } catch let refusal as Undeliverable {
          #expect("\(refusal)".contains("'jobs/results/a'"))
          #expect(!refusal.senderIsAnswered)
        }
      }
    }
  }

  @Test func retainedRequestIsCleared() async throws {
    try await Broker.running { broker in
      try await broker.publish("jobs/pending", "{}", .retained)
      try await withControl(broker) { $0.clearRetained("jobs/pending") }
      let late = try await broker.collect("jobs/pending")
      try await broker.publish("jobs/pending", "next")
      try await late.message { $0.text == "next" }
      #expect(late.messages.count == 1)
    }
  }
}
