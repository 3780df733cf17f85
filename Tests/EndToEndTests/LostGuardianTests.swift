import Glibc
import SystemPackage
import TestSupport
import Testing

/// Steps that attack the guardian, which ends the processes of a killed worker, and then the worker.
@Suite struct LostGuardianTests {
  @Test(arguments: [(signal: "KILL", says: "started another"), (signal: "STOP", says: "continued it")])
  func workerSeesToItsGuardianWhileAStepRuns(_ loss: (signal: String, says: String)) async throws {
    try await Scene.play(leaving: [.claims, .workspaces]) { scene in
      let mark = "\(Int.random(in: 10_000_000..<100_000_000))"
      try scene.job(
        "job",
        steps: [
          .string("env -i setsid sleep \(mark) & \(scene.findGuardian); kill -\(loss.signal) $guardian; sleep \(mark)")
        ])
      let worker = try scene.worker([])
      try await worker.listens()
      try await scene.send("job")
      try await worker.says(loss.says)
      #expect(worker.logLines.filter { $0["level"] == "warning" }.count == 1)
      try await eventually("all of the step") { ProcessEntry.marked(mark).count >= 3 }
      try await worker.kill()
      try await eventually("the end of all that the step started") { ProcessEntry.marked(mark).isEmpty }
    }
  }

  /// The step kills guardian after guardian; none would be left if the worker checked only once.
  @Test func workerThatHasLostSeveralGuardiansHasOne() async throws {
    try await Scene.play { scene in
      let gate = scene.gate()
      try scene.job(
        "job",
        steps: [
          .string(
            """
            for i in 1 2 3; do
              \(scene.findGuardian); kill -KILL $guardian; echo $guardian
              while [ -e /proc/$guardian ]; do sleep 0.02; done
            done
            \(scene.findGuardian); echo $guardian
            \(scene.waiting(for: gate))
            """), "true",
        ])
      let worker = try scene.worker([])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("four guardians") { Set(scene.log("job").split(separator: "\n")).count == 4 }
      try scene.open(gate)
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(worker.logLines.filter { $0["level"] == "warning" }.count == 1)
    }
  }

  /// The worker has no time to check.
  @Test func stoppedGuardianGoesOnWhenItsWorkerIsKilled() async throws {
    try await Scene.play(leaving: [.claims, .workspaces]) { scene in
      let mark = "\(Int.random(in: 10_000_000..<100_000_000))"
      try scene.job(
        "job",
        steps: [.string("sleep \(mark) & \(scene.findGuardian); kill -STOP $guardian; kill -KILL $PPID; sleep \(mark)")]
      )
      let worker = try scene.worker([])
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .signal(SIGKILL))
      try await eventually("the end of all that the step started") { ProcessEntry.marked(mark).isEmpty }
    }
  }
}
