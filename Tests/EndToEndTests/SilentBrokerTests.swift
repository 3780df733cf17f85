import Foundation
import Glibc
import TestSupport
import Testing

/// Brokers that do not answer, or that refuse something that nobody waits for.
@Suite struct SilentBrokerTests {
  /// The worker would wait for ever, and seem healthy.
  @Test(.timeLimit(.minutes(10))) func workerThatIsNeverSubscribedSaysSoAndTriesAgain() async throws {
    let broker = try ScriptedBroker { .bytes($0.kind == .subscribe ? [] : $0.usualAnswer) }
    try await Scene.play(.down) { scene in
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["-u", "mqtt://127.0.0.1:\(broker.port)"])
      try await worker.says("did not answer SUBSCRIBE to 'jobs/pending' within 30.0 s; next try", within: .seconds(120))
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func workerWhoseStatusIsRefusedSaysSoOnce() async throws {
    let rules = "user limited\ntopic readwrite jobs/#\ntopic read workers/#"
    try await Scene.play(broker: .acl(rules)) { scene in
      let worker = try scene.worker(
        "worker-01", on: "jobs/pending", ["--jobs", "3", "--heartbeat", "1s"], environment: ["MQTT_USERNAME": "limited"]
      )
      try await worker.listens()
      for id in ["one", "two", "three"] { try await scene.send(id, ["steps": ["true"]]) }
      #expect(try await worker.end() == .code(0))
      let lines = worker.log.split(separator: "\n").filter { $0.contains("'workers/worker-01/status'") }
      #expect(lines.count == 1, "\(worker.log)")
    }
  }
}
