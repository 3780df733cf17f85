import SystemPackage
import TestSupport
import Testing

/// Brokers that refuse an action of a worker.
@Suite struct RefusalTests {
  /// Nudges only shorten the wait.
  @Test func refusedNudgesCostNothing() async throws {
    try await Scene.play(broker: .refusingSubscriptions(to: "workers/waiting")) { scene in
      try scene.job("job", steps: ["true"])
      let worker = try scene.worker(on: "$share/workers/jobs/pending")
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
    }
  }
}
