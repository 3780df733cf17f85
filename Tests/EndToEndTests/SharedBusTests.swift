import Foundation
import Glibc
import MQTT
import TestSupport
import Testing

/// Messages on request topics that are not requests, and topics on which no worker answers.
@Suite struct SharedBusTests {
  @Test(arguments: [
    "jobs/cancel/victim", "workers/worker-01/command", "workers/all/command", "jobs/pending", "jobs/results/other",
    "jobs/results", "jobs/events/other", "jobs/logs/other/0", "workers/waiting", "jobs/rejected",
    "workers/worker-02/status",
    "$SYS/x", "$share/g/jobs/pending",
  ])
  func nobodyIsAnsweredWhereOthersAct(_ topic: String) async throws {
    try await Scene.play { scene in
      let bus = try await scene.broker.collect("#")
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--jobs", "0"])
      try await worker.listens()
      let properties = MessageProperties(responseTopic: topic, correlationData: [1])
      try await scene.broker.publish("jobs/pending", "garbage", properties: properties)
      try await scene.send("job", ["steps": ["true"], "requestId": "key"], properties: properties)
      try await bus.message(on: "jobs/results/job")
      try await scene.send("job", ["steps": ["true"], "requestId": "key"], properties: properties)
      try await bus.messages(2, on: "jobs/results/job")
      try await scene.send("end", ["steps": ["true"]])
      try await bus.message(on: "jobs/results/end")
      let said = bus.messages(on: topic).filter { $0.properties.correlationData == [1] && $0.json["status"] != .null }
      // The rejection of garbage has its own topic.
      #expect(said.count == (topic == "jobs/rejected" ? 1 : 0))
      #expect(worker.log.contains("is not answered on its response topic '\(topic)'"))
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test(arguments: [[], ["-v", "4"]])
  func twoFleetsOnOneBusDoNotFeedEachOther(_ arguments: [String]) async throws {
    try await Scene.play { scene in
      let bus = try await scene.broker.collect("jobs/#")
      let one = try scene.worker("worker-01", on: "jobs/#", ["-r", "jobs/a/results", "--jobs", "0"] + arguments)
      let two = try scene.worker("worker-02", on: "jobs/#", ["-r", "jobs/b/results", "--jobs", "0"] + arguments)
      for worker in [one, two] { try await worker.listens() }
      try await scene.broker.publish("jobs/new", "garbage")
      try await scene.send(
        "job", ["steps": [.string("\(scene.noteRun); sleep 0.2")], "requestId": "key"], on: "jobs/new")
      try await scene.awaitResult("job")
      try await scene.broker.publish("jobs/new", "more garbage")
      try await bus.messages(2, on: "jobs/a/rejected")
      try await bus.messages(2, on: "jobs/b/rejected")
      try await Task.sleep(for: .seconds(1))
      #expect(bus.messages(on: "jobs/a/rejected").count == 2)
      #expect(bus.messages(on: "jobs/b/rejected").count == 2)
      #expect(bus.messages.count < 40)
      #expect(scene.runs("job") == 1)
      for worker in [one, two] {
        worker.send(SIGTERM)
        #expect(try await worker.end() == .code(0))
      }
    }
  }
}
