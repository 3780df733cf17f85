import Glibc
import SystemPackage
import TestSupport
import Testing

/// Workers that find after more than a lease that their claim is gone, or that another worker's claim has its name.
@Suite struct LostClaimTests {
  @Test func workerThatThawsAfterItsPublicationLeavesTheNextRequestAlone() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job", steps: [.string("echo $WORD; if [ $WORD = two ]; then \(scene.waitForGate); fi")])
      let first = try scene.worker(["--lease", "1s"], stopAt: "published")
      try await first.listens()
      try await scene.send("job", ["requestId": "r1", "env": ["WORD": "one"]])
      try await first.reachesCheckpoint()
      #expect(try await scene.worker("worker-02", ["--lease", "1s"]).end() == .code(0))
      #expect(scene.claims.isEmpty)

      let third = try scene.worker("worker-03", ["--lease", "1s"])
      try await third.listens()
      try await scene.send("job", ["requestId": "r2", "env": ["WORD": "two"]])
      try await eventually("the step") { scene.log("job") == "two\n" }
      first.thaw()
      #expect(try await first.end() == .code(0))
      #expect(scene.claims == ["job.1.json"])
      try scene.openGate()
      #expect(try await third.end() == .code(0))
      #expect(scene.result("job")["requestId"] == "r2")
      #expect(scene.result("job")["status"] == "success")
    }
  }

  /// The worker freezes in its step. Before it thaws, another worker answers its request, and the next request for the
  /// job.
  @Test func workerThatThawsLateDoesNotPutAnAnsweredRequestDown() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); echo $WORD $JOB_ATTEMPT; \(scene.waitForGate)")])
      let first = try scene.worker(["--lease", "1s"])
      try await first.listens()
      try await scene.send("job", ["requestId": "r1", "env": ["WORD": "one"]])
      try await eventually("the step") { scene.log("job") == "one 1\n" }
      try await first.freeze()
      try scene.openGate()
      #expect(try await scene.worker("worker-02", ["--lease", "1s"]).end() == .code(0))
      let third = try scene.worker("worker-03", ["--lease", "1s"])
      try await third.listens()
      try await scene.send("job", ["requestId": "r2", "env": ["WORD": "two"]])
      #expect(try await third.end() == .code(0))
      #expect(scene.result("job")["requestId"] == "r2")
      first.thaw()
      #expect(try await first.end() == .code(0))
      #expect(scene.deferred.isEmpty)
      #expect(scene.runs("job") == 3)
    }
  }

  @Test(arguments: [".worker/claims/job.1.json", ".worker/claims", ".worker"])
  func requestWhoseClaimIsGoneWaitsForAWorkerAgain(_ removed: String) async throws {
    try await Scene.play { scene in
      try scene.job(
        "job", steps: [.string("\(scene.noteRun); test $(wc -l < $JOB_RESULTS_DIR/../runs) != 1 || sleep 1000")])
      let results = try await scene.results()
      let first = try scene.worker(["--lease", "1s"])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.runs("job") == 1 }
      try scene.remove(scene.jobs.appending(removed))
      #expect(try await first.end() == .code(0), "\(first.log)")
      #expect(first.log.contains("its request waits for a worker again"))
      #expect(scene.deferred.count == 1)
      #expect(results.messages.isEmpty)
      #expect(try await scene.worker("worker-02", ["--lease", "1s"]).end() == .code(0))
      #expect(try await results.message().json["status"] == "success")
      #expect(scene.runs("job") == 2)
      #expect(scene.deferred.isEmpty)
    }
  }
}
