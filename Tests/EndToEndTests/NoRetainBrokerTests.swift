import Foundation
import Glibc
import MQTT
import TestSupport
import Testing

/// A broker without retained messages, which works all the same.
@Suite struct NoRetainBrokerTests {
  @Test(arguments: [[], ["-v", "4"], ["--no-retain"]])
  func brokerWithoutRetainedMessagesIsServed(_ arguments: [String]) async throws {
    try await Scene.play(broker: Broker.Options("retain_available false")) { scene in
      let results = try await scene.results()
      let statuses = try await scene.broker.collect("workers/+/status")
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--jobs", "0"] + arguments)
      try await worker.listens()
      for id in ["one", "two"] {
        try await scene.send(id, ["steps": ["true"]])
        let message = try await results.message(on: "jobs/results/\(id)")
        #expect(message.json["status"] == "success")
        #expect(message.retention == .notRetained)
      }
      try await statuses.message { $0.json["state"] == "idle" }
      #expect(worker.log.split(separator: "\n").count { $0.contains("keeps no retained messages") } == 1)
      // The broker publishes the Last Will, too.
      worker.send(SIGKILL)
      try await statuses.message { $0.json["reason"] == "lost" }
    }
  }

  @Test func doctorConnectsAsAWorkerDoesAndSaysWhatIsNotThere() async throws {
    try await Scene.play(broker: Broker.Options("retain_available false")) { scene in
      let run = try await scene.run(["doctor", "broker", "-u", scene.broker.url])
      #expect(run.output.contains("without retained messages"), "\(run.output)\(run.errors)")
      #expect(run.output.contains("later subscribers get no results"), "\(run.output)")
    }
  }
}
