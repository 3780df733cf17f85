import SystemPackage
import TestSupport
import Testing

/// Brokers that do not let a worker do what it would.
@Suite struct RefusalTests {
  /// Nudges spare waiting, no more.
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
