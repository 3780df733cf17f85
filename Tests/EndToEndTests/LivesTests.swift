import Glibc
import SystemPackage
import TestSupport
import Testing

/// How many jobs a process does, and how long it waits for one.
@Suite struct LivesTests {
  @Test func oneProcessDoesAsManyJobsAsItIsAskedTo() async throws {
    try await Scene.play { scene in
      let ids = (1...4).map { "job_\($0)" }
      for id in ids { try scene.job(id, steps: ["echo $PPID; ls -a; env | grep MQTT_FS || true"]) }
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      for id in ids { try await scene.send(id) }
      let worker = try scene.worker(["--jobs", "3"])
      #expect(try await worker.end() == .code(0))
      try await results.messages(3)
      #expect(results.messages.map { $0.json["id"].string } == ["job_1", "job_2", "job_3"])
      for id in ids.dropLast() { #expect(scene.log(id) == "\(worker.pid)\n.\n..\njob.json\n") }
      try await scene.broker.session(of: "worker-01") { $0?.queued == 1 }
      #expect(try await scene.worker().end() == .code(0))
    }
  }

  @Test func zeroJobsIsWithoutEndUntilItIsStopped() async throws {
    try await Scene.play { scene in
      let ids = (1...5).map { "job_\($0)" }
      for id in ids { try scene.job(id, steps: ["echo $PPID"]) }
      let results = try await scene.results()
      let worker = try scene.worker(on: "$share/workers/jobs/pending", ["--jobs", "0"])
      try await worker.listens()
      for id in ids { try await scene.send(id) }
      try await results.messages(5)
      #expect(worker.process.end == nil)
      #expect(Set(ids.map { scene.log($0) }) == ["\(worker.pid)\n"])
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
      #expect(results.messages.count == 5)
    }
  }

  @Test func cancelationEndsAJobAndNotTheLivesAfterIt() async throws {
    try await Scene.play { scene in
      try scene.job("canceled", steps: ["echo ready; sleep 600"])
      try scene.job("next", steps: ["echo $PPID"])
      let results = try await scene.results()
      let worker = try await scene.workerThatHearsCommands(["--jobs", "2"])
      try await scene.send("canceled")
      try await eventually("the step") { scene.log("canceled") == "ready\n" }
      try await scene.send("next")
      try await scene.broker.publish("jobs/cancel/canceled", "")
      #expect(try await worker.end() == .code(0))
      try await results.messages(2)
      #expect(results.messages.map { $0.json["status"] } == ["canceled", "success"])
      #expect(scene.log("next") == "\(worker.pid)\n")
    }
  }

  /// Standing between two lives, the process is told to stop: the signal is not lost.
  @Test func signalToStopReachesEveryLife() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let results = try await scene.results()
      let worker = try scene.worker(["--jobs", "0"], stopAt: "released")
      try await worker.listens()
      try await scene.send("job")
      try await worker.reachesCheckpoint()
      try await results.message()
      worker.send(SIGTERM)
      worker.thaw()
      #expect(try await worker.end() == .code(0))
      #expect(worker.process.end == .code(0))
    }
  }

  @Test(arguments: [["--idle-timeout", "4s"], ["--idle-timeout", "4s", "--jobs", "0"]])
  func workerWithoutAJobLeavesAfterTheIdleTimeout(_ arguments: [String]) async throws {
    try await Scene.play { scene in
      let start = ContinuousClock.now
      let worker = try scene.worker(arguments)
      try await worker.listens()
      #expect(try await worker.end() == .code(0))
      #expect(ContinuousClock.now - start >= .seconds(4))
      try await scene.broker.logged("Received DISCONNECT from worker-01")
    }
  }

  @Test func idleTimeoutDoesNotEndARunningJob() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["sleep 4.5; echo done"])
      let worker = try scene.worker(["--idle-timeout", "4s"])
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.log("job") == "done\n")
    }
  }
}
