import Glibc
import MQTT
import TestSupport
import Testing

/// The queues of workers that do not come back.
@Suite struct AdoptionTests {
  @Test(arguments: [("5", 40), ("4", 12)])
  func jobsDealtToWorkersThatAreGoneAreRunByTheOthers(_ version: String, _ count: Int) async throws {
    try await Scene.play { scene in
      let loops = try await scene.fleet(4, with: ["--lease", "2s", "-v", version])
      try await loops[0].stop(SIGKILL)
      let first = try scene.jobs(count, "killed-")
      for code in try await scene.send(all: first) { #expect(code == .success) }
      try await scene.finish(first)

      for loop in loops[1...].reversed() { try await scene.listens(loop) }
      let end = try await loops[1].stop(SIGTERM)
      #expect(end == .code(0), "\(loops[1].current.log)")
      let second = try scene.jobs(count, "stopped-")
      for code in try await scene.send(all: second) { #expect(code == .success) }
      try await scene.finish(second)
      scene.expectOneRun(of: first + second)

      for id in ["worker-1", "worker-2"] {
        try await scene.broker.session(of: id) { $0 == nil }
        try await eventually("the end of \(id)'s membership") { !scene.members.contains("\(id).json") }
      }
      #expect(scene.members.filter { !$0.hasPrefix(".") } == ["worker-3.json", "worker-4.json"])
      #expect(try await scene.broker.sessions()["worker-3"] != nil)
      for loop in loops[2...] { #expect(loop.ends.allSatisfy { $0 == .code(0) }) }
    }
  }

  /// A worker without others in its group keeps its session until it returns.
  @Test(arguments: [SIGKILL, SIGTERM]) func whatWasQueuedForALonelyWorkerWaitsForIt(_ signal: Int32) async throws {
    try await Scene.play { scene in
      let worker = try scene.worker(on: group, ["--lease", "1s"])
      try await worker.listens()
      worker.send(signal)
      try await worker.end()
      let ids = try scene.jobs(3)
      for code in try await scene.send(all: ids) { #expect(code == .success) }
      try await scene.broker.session(of: "worker-01") { $0?.queued == 3 }
      let loop = try scene.restartLoop(on: group, ["--lease", "1s"])
      try await scene.finish(ids)
      scene.expectOneRun(of: ids)
      #expect(loop.ends.allSatisfy { $0 == .code(0) })
    }
  }

  /// There are more requests than the queue of deferred requests has room for, and no worker takes one up.
  @Test func everythingThatWasQueuedIsDeferred() async throws {
    try await Scene.play(leaving: .deferred) { scene in
      let gone = try scene.worker("gone", on: group, ["--lease", "1s"])
      try await gone.listens()
      try await gone.kill()
      let ids = try scene.jobs(70)
      try await scene.send(all: ids)
      // The worker claims one of them, and stops at that point.
      let worker = try scene.worker("one", on: group, ["--lease", "1s"], stopAt: "deferredRequestClaimed")
      try await worker.reachesCheckpoint()
      #expect(scene.deferred.count == 70)
      try await scene.broker.session(of: "gone") { $0 == nil }
      #expect(scene.members == ["one.json"])
      worker.thaw()
      #expect(try await worker.end() == .code(0))
      try await scene.settleClaims()
      #expect(scene.deferred.count == 69)
    }
  }

  /// The broker stops answering during a takeover. A worker that is told to stop must not wait for it.
  @Test func workerThatIsToldToStopDoesNotWaitForASessionThatDoesNotCome() async throws {
    try await Scene.play { scene in
      let gone = try scene.worker("gone", on: group, ["--lease", "2s"])
      try await gone.listens()
      let adopter = try scene.worker("adopter", on: group, ["--lease", "2s"])
      try await adopter.listens()
      try await gone.kill()
      try await scene.broker.freeze()
      try await eventually("the adoption") { scene.members.contains("gone.adoption") }
      adopter.send(SIGTERM)
      // Without the stop, the worker would wait ten seconds for the session.
      #expect(try await adopter.end(within: .seconds(9)) == .code(0))
      #expect(!scene.members.contains("gone.adoption"))
      scene.broker.thaw()
      #expect(try await scene.worker("gone", on: group, ["--idle-timeout", "1s"]).end() == .code(0))
    }
  }

  /// The adopter dies during the takeover; the next worker begins again.
  @Test func adoptionByAWorkerThatDiesIsCompletedByTheNext() async throws {
    try await Scene.play { scene in
      let gone = try scene.worker("gone", on: group, ["--lease", "1s"])
      try await gone.listens()
      try await gone.kill()
      let ids = try scene.jobs(5)
      try await scene.send(all: ids)
      let adopter = try scene.worker("one", on: group, ["--lease", "1s"], stopAt: "requestDeferred")
      try await adopter.reachesCheckpoint()
      try await adopter.kill()
      _ = try await scene.fleet(1, "two-", with: ["--lease", "1s"])
      try await scene.finish(ids)
      scene.expectOneRun(of: ids)
      try await scene.broker.session(of: "gone") { $0 == nil }
      try await scene.broker.session(of: "one") { $0 == nil }
      try await eventually("the end of both memberships") { scene.members == ["two-1.json"] }
    }
  }

  /// The owner comes back during the takeover, and takes its session back.
  @Test func ownerThatComesBackDuringItsAdoptionLosesNothing() async throws {
    try await Scene.play { scene in
      let gone = try scene.worker("gone", on: group, ["--lease", "1s"])
      try await gone.listens()
      try await gone.kill()
      let ids = try scene.jobs(5)
      try await scene.send(all: ids)
      let adopter = try scene.worker("one", on: group, ["--lease", "1s"], stopAt: "requestDeferred")
      try await adopter.reachesCheckpoint()
      let owner = try scene.restartLoop("gone", on: group, ["--lease", "1s"])
      try await scene.finish(ids)
      adopter.thaw()
      adopter.send(SIGTERM)
      #expect(try await adopter.end() == .code(0))
      try await scene.listens(owner)
      let late = try scene.jobs(3, "late-")
      for code in try await scene.send(all: late) { #expect(code == .success) }
      try await scene.finish(late)
      scene.expectOneRun(of: ids + late)
      #expect(owner.ends.allSatisfy { $0 == .code(0) })
    }
  }

  @Test(arguments: ["$share/new/jobs/pending", "other/pending"])
  func workerWithAnotherTopicLosesNothingThatItsSessionHeld(_ topic: String) async throws {
    try await Scene.play { scene in
      let before = try scene.worker("one", on: group, ["--lease", "1s"])
      try await before.listens()
      try await before.kill()
      let ids = try scene.jobs(5)
      try await scene.send(all: ids)
      let changed = try scene.restartLoop("one", on: topic, ["--lease", "1s"])
      try await scene.listens(changed)
      #expect(scene.deferred.count == 5)
      _ = try await scene.fleet(1, "old-", with: ["--lease", "1s"])
      try await scene.finish(ids)
      scene.expectOneRun(of: ids)
      #expect(ids.allSatisfy { scene.result($0)["workerId"] == "old-1" })
      try scene.job("new", steps: ["true"])
      try await scene.send("new", on: topic.hasPrefix("$share") ? "jobs/pending" : topic)
      try await scene.finish(["new"])
    }
  }
}

extension Scene {
  /// Waits until no claim is left.
  fileprivate func settleClaims() async throws {
    try await eventually("the end of all claims") { claims.isEmpty }
  }
}
