import TestSupport
import Testing

/// A broker that stops again as soon as workers have reconnected.
@Suite struct RestlessBrokerTests {
  @Test(arguments: ["5", "4"])
  func brokerThatRestartsAgainAndAgainEndsNoWorker(_ version: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let worker = try scene.worker(["-v", version])
      try await worker.listens()
      for _ in 1...5 {
        let before: Int = scene.broker.logged(" as worker-01-control ")
        try await scene.broker.restart()
        try await eventually("control's return") {
          worker.process.end != nil || scene.broker.logged(" as worker-01-control ") > before
        }
        #expect(worker.process.end == nil, "\(worker.log)")
      }
      try await eventually("intake's return") { scene.broker.logged("Sending SUBACK to worker-01\n") >= 2 }
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
    }
  }
}
