import Foundation
import MQTT
import TestSupport
import Testing

/// Brokers that accept no large packets, and requests that would make a result too large.
@Suite struct BrokerLimitTests {
  @Test func resultShrinksToWhatTheBrokerTakes() async throws {
    try await Scene.play(broker: Broker.Options("max_packet_size 2000")) { scene in
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job", ["steps": ["seq 1 2000; exit 7"]])
      let message = try await results.message(on: "jobs/results/job")
      #expect(message.json["exitCode"] == 7)
      #expect(message.json["tail"] == .null)
      #expect(message.json["error"] != .null)
      #expect(try await worker.end() == .code(0))
      #expect(scene.undelivered.isEmpty)
    }
  }

  /// The broker does not announce its limit: it ends the connection, on MQTT 5 with a reason code.
  @Test func resultShrinksForABrokerThatDropsWhatIsTooLarge() async throws {
    try await Scene.play(broker: Broker.Options("message_size_limit 1500")) { scene in
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job", ["steps": ["seq 1 2000; exit 7"]])
      #expect(try await results.message(on: "jobs/results/job").json["exitCode"] == 7)
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func longErrorIsClippedAndSaysSo() async throws {
    try await Scene.play(broker: Broker.Options("max_packet_size 800")) { scene in
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      let name = String(repeating: "ä", count: 300)
      try await scene.send("job", ["steps": [["name": .string(name), "run": "exit 3"]]])
      let message = try await results.message(on: "jobs/results/job")
      #expect(message.json["error"].text.contains("… (clipped"))
      #expect(String(validating: message.payload, as: UTF8.self) != nil)
      #expect(scene.result("job")["error"].text.contains(name))
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func answerToTheSenderShrinksToo() async throws {
    try await Scene.play(broker: Broker.Options("max_packet_size 2000")) { scene in
      let replies = try await scene.broker.collect("replies/#")
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send(
        "job", ["steps": ["seq 1 2000; exit 7"]],
        properties: MessageProperties(responseTopic: "replies/1", correlationData: [7, 0, 255]))
      let message = try await replies.message()
      #expect(message.properties.correlationData == [7, 0, 255])
      #expect(message.json["exitCode"] == 7)
      #expect(try await worker.end() == .code(0))
    }
  }

  /// The request has the largest size that the example's broker accepts; the result would repeat it and its keys.
  @Test(arguments: [0, 1, 2])
  func requestWithHugeKeysIsAnswered(_ kind: Int) async throws {
    try await Scene.play(broker: Broker.Options("max_packet_size 300000")) { scene in
      let results = try await scene.results()
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--jobs", "0"])
      try await worker.listens()
      let key = String(repeating: "k", count: 262_000)
      let data = [UInt8](repeating: 255, count: 37_810)
      switch kind {
      case 0:
        try await scene.send(
          "job", ["steps": ["true"], "requestId": .string(key)], properties: MessageProperties(correlationData: data))
      case 1: try await scene.send("job", ["steps": ["true"]], properties: MessageProperties(correlationData: data))
      default: try await scene.send("job", ["steps": ["true"], "requestId": .string(key)])
      }
      let message = try await results.message(on: "jobs/results/job")
      #expect(message.json["status"] == "rejected")
      #expect(message.json["error"].text.contains("4096"))
      try await scene.send("next", ["steps": ["true"]])
      #expect(try await results.message(on: "jobs/results/next").json["status"] == "success")
      try await eventually("nothing left") { scene.claims.isEmpty && scene.undelivered.isEmpty }
    }
  }

  /// As long as allowed, with bytes that are not text.
  @Test func largestKeysGoBackWithTheResult() async throws {
    try await Scene.play(broker: Broker.Options("max_packet_size 300000")) { scene in
      let results = try await scene.results()
      let replies = try await scene.broker.collect("replies/#")
      let worker = try scene.worker()
      try await worker.listens()
      let data = [UInt8](repeating: 255, count: 4096)
      try await scene.send(
        "job", ["steps": ["true"]], properties: MessageProperties(responseTopic: "replies/1", correlationData: data))
      #expect(try await results.message(on: "jobs/results/job").properties.correlationData == data)
      #expect(try await replies.message().properties.correlationData == data)
      #expect(try await worker.end() == .code(0))
    }
  }
}
