import Glibc
import SystemPackage
import TestSupport
import Testing

/// While `KILLSWITCH` is on the volume, no worker takes a new job.
@Suite struct KillSwitchTests {
  @Test(arguments: ["jobs/pending", "$share/workers/jobs/pending"])
  func messageStaysWithTheBrokerUntilTheSwitchIsGone(_ filter: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string(scene.noteRun)])
      let results = try await scene.results()
      let worker = try scene.worker(on: filter, ["--lease", "1s"])
      try await worker.listens()
      try scene.write("", scene.jobs.appending("KILLSWITCH"))
      try await scene.send("job")
      try await worker.says("KILLSWITCH is there: no job is taken until it is removed")
      try await scene.broker.session(of: "worker-01") { $0?.queued == 1 }
      #expect(scene.claims.isEmpty && scene.deferred.isEmpty && scene.runs("job") == 0)
      #expect(worker.process.end == nil)
      try scene.remove(scene.jobs.appending("KILLSWITCH"))
      try await results.message { $0.json["status"] == "success" }
      #expect(try await worker.end() == .code(0))
      #expect(scene.runs("job") == 1)
    }
  }

  @Test func runningJobFinishes() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo begun", .string(scene.waitForGate)])
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      try scene.write("", scene.jobs.appending("KILLSWITCH"))
      try scene.openGate()
      #expect(try await results.message().json["status"] == "success")
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func workerThatStartsMeanwhileWaitsAndCanBeStopped() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string(scene.noteRun)])
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try await scene.send("job")
      try scene.write("", scene.jobs.appending("KILLSWITCH"))
      let first = try scene.worker()
      try await first.says("KILLSWITCH is there")
      first.send(SIGTERM)
      #expect(try await first.end() == .code(0))
      let second = try scene.worker()
      try await second.says("KILLSWITCH is there")
      #expect(scene.runs("job") == 0)
      try scene.remove(scene.jobs.appending("KILLSWITCH"))
      #expect(try await second.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
    }
  }

  @Test func jobOfADeadWorkerIsNotTakenOverMeanwhile() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string(scene.noteRun)])
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try await scene.send("job")
      let first = try scene.worker(stopAt: "acknowledged")
      try await first.reachesCheckpoint()
      try scene.write("", scene.jobs.appending("KILLSWITCH"))
      try await first.kill()
      let second = try scene.worker()
      try await second.says("KILLSWITCH is there")
      #expect(scene.claims == ["job.1.json"])
      try scene.remove(scene.jobs.appending("KILLSWITCH"))
      try await results.message { $0.json["status"] == "success" }
      #expect(try await second.end() == .code(0))
      #expect(scene.runs("job") == 1)
    }
  }
}
