import MQTT
import TestSupport
import Testing

/// Retained messages: requests that should not be retained, and results that should.
@Suite struct RetainedTests {
  @Test(arguments: ["jobs/pending", "jobs/+", "+/pending"])
  func retainedRequestIsRunOnceAndCleared(_ filter: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo run >> $JOB_RESULTS_DIR/../runs"])
      try scene.job("next", steps: ["true"])
      let results = try await scene.results()
      try await scene.broker.publish("jobs/pending", #"{"id":"job"}"#, .retained)
      #expect(try await scene.worker(on: filter).end() == .code(0))
      try await results.message(on: "jobs/results/job")

      let late = try await scene.broker.collect("jobs/pending")
      let worker = try scene.worker(on: filter)
      try await worker.listens()
      try await scene.send("next")
      try await results.message(on: "jobs/results/next")
      #expect(try await worker.end() == .code(0))
      #expect(results.messages.count == 2)
      #expect(scene.text("job", "runs") == "run\n")
      #expect(late.messages.map(\.text) == [#"{"id":"next"}"#])
    }
  }

  @Test func requestPublishedRetainedToALiveGroupIsRunOnceAndCleared() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo run >> $JOB_RESULTS_DIR/../runs"])
      let results = try await scene.results()
      let worker = try scene.worker(on: "$share/workers/jobs/pending")
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", #"{"id":"job"}"#, .retained)
      try await results.message(on: "jobs/results/job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.text("job", "runs") == "run\n")
      let late = try await scene.broker.collect("jobs/#")
      try await late.message(on: "jobs/results/job")
      #expect(late.messages(on: "jobs/pending").isEmpty)
    }
  }

  @Test(arguments: [([], 604_800), (["--retain", "1h"], 3600)] as [([String], UInt32)])
  func resultIsKeptForAWhileForWhoComesLate(_ arguments: [String], _ seconds: UInt32) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let worker = try scene.worker(arguments)
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      let message = try await scene.results().message(on: "jobs/results/job")
      #expect(message.retention == .retained)
      #expect(message.json["status"] == "success")
      #expect((seconds - 100...seconds).contains(message.properties.messageExpiry ?? 0))
    }
  }

  @Test func resultIsNotKeptWhenThatIsSaid() async throws {
    try await Scene.play { scene in
      for (id, arguments, environment) in [
        ("flag", ["--no-retain"], [:]), ("variable", [], ["MQTT_NO_RETAIN": "true"]),
        ("option", ["--retain", "off"], ["MQTT_RETAIN": "1h"]), ("other", [], ["MQTT_RETAIN": "off"]),
      ] {
        try scene.job(id, steps: ["true"])
        let results = try await scene.results()
        let worker = try scene.worker("worker-01", on: "jobs/pending", arguments, environment: environment)
        try await worker.listens()
        try await scene.send(id)
        #expect(try await results.message().retention == .notRetained)
        #expect(try await worker.end() == .code(0))
      }
    }
  }

  @Test func rejectionIsNotKept() async throws {
    try await Scene.play { scene in
      try scene.job("empty", steps: [])
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("empty")
      let message = try await results.message(on: "jobs/results/empty")
      #expect(message.json["status"] == "rejected")
      #expect(message.retention == .notRetained)
    }
  }
}
