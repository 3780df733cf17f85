import MQTT
import TestSupport
import Testing

@testable import Jobs
@testable import Signaling
@testable import Steps
@testable import Volume
@testable import Worker

@Suite struct CommandsTests {
  /// The session is not connected, and need not be.
  private func commands(_ body: (Commands, WorkerState) async throws -> Void) async throws {
    let session = try Session(
      SessionOptions(host: "127.0.0.1", port: 1, clientID: "nobody"), giveUpAfter: .zero, logger: silent)
    let volume = try VolumeFixture()
    let state = try WorkerState.testing(volume)
    try await body(
      Commands(
        try .testing(session, of: state), state,
        topics: RequestTopics(Topics(results: "jobs/results"), requests: [try TopicFilter("jobs/pending")]),
        logger: silent), state)
    session.drop()
  }

  private func message(_ text: String, on topic: String = "workers/worker-01/command") -> Message {
    Message(topic, text)
  }

  @Test func answerGoesToTheResponseTopicWithItsCorrelationData() async throws {
    try await commands { commands, _ in
      var command = message(#"{"command":"version-report"}"#, on: "workers/all/command")
      command.properties.responseTopic = "replies/1"
      command.properties.correlationData = [1, 2]
      let answer = try #require(commands.obey(command))
      #expect(answer.topic == "replies/1")
      #expect(answer.properties.correlationData == [1, 2])
      #expect(answer.retention == .notRetained)
      #expect(answer.json["workerId"] == "worker-01")
      #expect(answer.json["outcome"] == "done")
      #expect(answer.json["version"] == "1.2.3")
    }
  }

  @Test func answerWithoutAResponseTopicGoesToTheWorkersOwn() async throws {
    try await commands { commands, _ in
      let answer = try #require(commands.obey(message(#"{"command":"status-report"}"#)))
      #expect(answer.topic == "workers/worker-01/answers")
      #expect(answer.json["status"]["state"] == "idle")
      #expect(answer.json["state"] == "idle")
    }
  }

  /// A sender that may command one worker must not use the worker's rights to reach others, or to cancel jobs.
  @Test(arguments: [
    "workers/all/command", "workers/worker-02/command", "jobs/cancel/other", "jobs/results/other", "jobs/events/other",
  ])
  func answerDoesNotGoWhereOthersAct(_ topic: String) async throws {
    try await commands { commands, _ in
      var command = message(#"{"command":"drain"}"#)
      command.properties.responseTopic = topic
      #expect(commands.obey(command)?.topic == "workers/worker-01/answers")
    }
  }

  /// A request may arrive before the worker's task comes to an earlier cancellation.
  @Test func cancellationCountsFromItsArrival() async throws {
    try await commands { commands, worker in
      let arrival = ContinuousClock.now - .seconds(10)
      _ = commands.obey(message("", on: "jobs/cancel/job"), receivedAt: arrival)
      _ = commands.obey(message(#"{"command":"cancel","id":"job"}"#), receivedAt: arrival)
      var times: [ContinuousClock.Instant] = []
      for await cancellation in worker.cancellations {
        times.append(cancellation.received)
        if times.count == 2 { break }
      }
      #expect(times == [arrival, arrival])
    }
  }

  /// Nobody reads cancellations while the worker is idle.
  @Test func onlyTheLatestCancellationsAreRemembered() async throws {
    try await commands { commands, worker in
      for number in 1...3000 { _ = commands.obey(message("", on: "jobs/cancel/job-\(number)")) }
      var ids: [String] = []
      for await cancellation in worker.cancellations {
        ids.append(cancellation.id.text)
        if cancellation.id.text == "job-3000" { break }
      }
      #expect(ids.count == WorkerState.mostCancellations)
    }
  }

  @Test(arguments: ["workers/all/command", "jobs/cancel/job"])
  func retainedCommandIsIgnored(_ topic: String) async throws {
    try await commands { commands, worker in
      worker.begin(JobPlace(try JobID("job"), attempt: 1))
      var command = message(#"{"command":"cancel","id":"job"}"#, on: topic)
      command.retention = .retained
      #expect(commands.obey(command) == nil)
      command.retention = .notRetained
      _ = commands.obey(command)
      var cancellations = worker.cancellations.makeAsyncIterator()
      #expect(await cancellations.next()?.id.text == "job")
    }
  }

  @Test func busyWorkerEndsLater() async throws {
    try await commands { commands, worker in
      worker.begin(JobPlace(try JobID("job"), attempt: 1))
      #expect(commands.obey(message(#"{"command":"drain"}"#))?.json["outcome"] == "later")
      #expect(worker.snapshot.departure == .drained)
      #expect(commands.obey(message(#"{"command":"config-reload"}"#))?.json["outcome"] == "later")
      #expect(worker.snapshot.departure == .reload)
    }
  }

  @Test func cancelOfAnotherJobIsRefused() async throws {
    try await commands { commands, worker in
      worker.begin(JobPlace(try JobID("job"), attempt: 1))
      let refusal = try #require(commands.obey(message(#"{"command":"cancel","id":"other"}"#)))
      #expect(refusal.json["outcome"] == "refused")
      #expect(refusal.json["error"] == "worker worker-01 does not have the job other")
      #expect(commands.obey(message(#"{"command":"cancel","id":"job"}"#))?.json["outcome"] == "done")
    }
  }

  @Test(arguments: ["", "drain", #"{"command":"restart"}"#, #"{"command":"cancel"}"#])
  func whatIsNotUnderstoodIsAnsweredWithASentence(_ payload: String) async throws {
    try await commands { commands, _ in
      let refusal = try #require(commands.obey(message(payload)))
      #expect(refusal.json["outcome"] == "refused")
      #expect(refusal.json["error"].string?.isEmpty == false)
      #expect(refusal.json["command"] == .null)
    }
  }

  @Test func messagesOfOtherTopicsAreNone() async throws {
    try await commands { commands, _ in
      #expect(commands.obey(message(#"{"command":"drain"}"#, on: "workers/worker-02/command")) == nil)
    }
  }
}
