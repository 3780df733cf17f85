import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// Jobs that wait in a durable session, and workers that die during them.
@Suite(.everyAccess) struct QueueTests {
  @Test(arguments: ["jobs/pending", "$share/workers/jobs/pending"])
  func twentyQueuedJobsTakeTwentyLives(_ filter: String) async throws {
    try await Scene.play { scene in
      let ids = (1...20).map { "job_\($0)" }
      for id in ids { try scene.job(id, steps: ["echo $JOB_ID >> $JOB_RESULTS_DIR/../runs"]) }
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: filter)
      for id in ids { #expect(try await scene.send(id) == .success) }
      var lives: [Duration] = []
      for _ in ids {
        let began = ContinuousClock.now
        #expect(try await scene.worker(on: filter).end() == .code(0))
        lives.append(ContinuousClock.now - began)
      }
      // A worker that leaves while the next request arrives once waited 5 s for it.
      #expect(lives.sorted()[lives.count / 2] < .seconds(5))
      try await results.messages(20)
      #expect(results.messages.map { $0.json["id"].string }.sorted { $0! < $1! } == ids.sorted())
      for id in ids {
        #expect(scene.result(id)["status"] == "success")
        #expect(scene.text(id, "runs") == "\(id)\n")
      }
      try await scene.broker.session(of: "worker-01") { $0?.queued == 0 }
    }
  }

  @Test(arguments: ["received", "claimed"])
  func jobComesAgainWhenItsWorkerIsKilledBeforeAcknowledging(_ checkpoint: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo run >> $JOB_RESULTS_DIR/../runs"])
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try await scene.send("job")
      let first = try scene.worker(stopAt: checkpoint)
      try await first.reachesCheckpoint()
      #expect(try await scene.broker.sessions()["worker-01"]?.queued == 1)
      try await first.kill()
      #expect(scene.broker.logged("Received PUBACK from worker-01 ") == 0)

      #expect(try await scene.worker().end() == .code(0))
      try await results.message(on: "jobs/results/job") { $0.json["status"] == "success" }
      #expect(results.messages.count == 1)
      #expect(scene.text("job", "runs") == "run\n")
    }
  }

  @Test func furtherJobsStayInTheSessionOfABusyWorker() async throws {
    try await Scene.play { scene in
      for id in ["a", "b", "c"] { try scene.job(id, steps: ["until [ -e \"$GATE\" ]; do sleep 0.01; done"]) }
      let gate = scene.files.appending("gate")
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      for id in ["a", "b", "c"] { try await scene.send(id) }
      let first = try scene.worker(environment: ["GATE": gate.string], stopAt: "started")
      try await first.reachesCheckpoint()
      try await scene.broker.session(of: "worker-01") { $0?.queued == 2 }
      try scene.write("", gate)
      first.thaw()
      #expect(try await first.end() == .code(0))
      for _ in 0..<2 { #expect(try await scene.worker(environment: ["GATE": gate.string]).end() == .code(0)) }
      try await results.messages(3)
      #expect(results.messages.map { $0.json["id"].string } == ["a", "b", "c"])
    }
  }

  @Test func restartLoopTakesJobsOneAfterAnother() async throws {
    try await Scene.play { scene in
      let ids = (1...8).map { "job_\($0)" }
      for id in ids { try scene.job(id, steps: ["true"]) }
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      let loop = try scene.restartLoop()
      for id in ids { try await scene.send(id) }
      try await results.messages(8)
      #expect(Set(results.messages.map { $0.json["id"].string! }) == Set(ids))
      try await scene.listens(loop)
      #expect(try await loop.stop() == .code(0))
      #expect(loop.ends.allSatisfy { $0 == .code(0) })
    }
  }
}
