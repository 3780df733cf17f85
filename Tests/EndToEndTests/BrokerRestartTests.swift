import MQTT
import TestSupport
import Testing

/// A broker that goes away and comes back under an idle worker.
@Suite struct BrokerRestartTests {
  /// mosquitto forgets everything without persistence, and shared subscriptions even with it.
  @Test(arguments: [Broker.Persistence.none, .onExit], ["jobs/pending", "$share/workers/jobs/pending"])
  func workerHearsAgainAfterTheBrokerRestarted(_ persistence: Broker.Persistence, _ filter: String) async throws {
    var options = Broker.Options()
    options.persistence = persistence
    try await Scene.play(broker: options) { scene in
      try scene.job("job", steps: ["true"])
      let worker = try scene.worker(on: filter)
      try await worker.listens()
      try await scene.broker.restart()
      let results = try await scene.results()
      try await eventually("somebody who takes the request") { try await scene.send("job") == .success }
      #expect(try await results.message().json["status"] == "success")
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func brokerThatComesLateIsWaitedFor() async throws {
    try await Scene.play(.down) { scene in
      try scene.job("job", steps: ["true"])
      let worker = try scene.worker()
      try await worker.says("next try in")
      try await scene.broker.start()
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
    }
  }
}
