import Glibc
import MQTT
import TestSupport
import Testing

/// `--clean`: the broker drops the messages that such a session has not acknowledged, so none may be left in it.
@Suite struct CleanSessionTests {
  /// There are more requests than the queue of deferred requests has room for.
  @Test(arguments: ["5", "4"])
  func everythingThatWasSentToAWorkerThatTurnsBusyIsDeferred(_ version: String) async throws {
    try await Scene.play { scene in
      let arguments = ["--clean", "--lease", "1s", "-v", version]
      let first = try scene.worker("one", on: group, arguments, stopAt: "claimed")
      try await first.listens()
      try scene.heldJob("held")
      try await scene.send("held")
      try await first.reachesCheckpoint()
      let ids = try scene.jobs(70)
      for code in try await scene.send(all: ids) { #expect(code == .success) }
      first.thaw()
      try await eventually("a deferred request for each job") {
        scene.deferred.count == ids.count
      }
      // The worker has left the group.
      try await eventually("a broker without subscribers") { try await scene.send("nobody") != .success }
      _ = try await scene.fleet(3, "other-", with: arguments)
      try await eventually("the results") { scene.missing(ids).isEmpty }
      try scene.open("held")
      #expect(try await first.end() == .code(0))
      try await scene.finish(["held"])
      scene.expectOneRun(of: ids + ["held"])
    }
  }

  @Test func idleWorkerThatLeavesLosesNothing() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker("one", on: group, ["--clean", "--lease", "1s"])
      try await worker.listens()
      try await worker.freeze()
      let ids = try scene.jobs(10)
      for code in try await scene.send(all: ids) { #expect(code == .success) }
      worker.send(SIGTERM)
      worker.thaw()
      #expect(try await worker.end() == .code(0))
      _ = try await scene.fleet(1, "other-", with: ["--clean", "--lease", "1s"])
      try await scene.finish(ids)
      // The worker may have taken one, and the signal canceled it.
      #expect(ids.count { scene.result($0)["status"] == "success" } >= 9)
      #expect(ids.allSatisfy { scene.runs($0).count <= 1 })
    }
  }

  /// The broker forgets what a clean session has not acknowledged.
  @Test func workerThatIsToldToStopOverARequestDefersIt() async throws {
    try await Scene.play(leaving: .deferred) { scene in
      let worker = try scene.worker("one", on: group, ["--clean", "--lease", "1s"], stopAt: "received")
      try await worker.listens()
      // Its folder is not there yet, and the worker waits for it.
      try await scene.send("late")
      try await worker.reachesCheckpoint()
      worker.send(SIGTERM)
      worker.thaw()
      #expect(try await worker.end() == .code(0))
      #expect(scene.deferred.count == 1)
    }
  }

  @Test func cleanWorkerIsNoMember() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker("one", on: group, ["--clean", "--lease", "1s"])
      try await worker.listens()
      #expect(scene.members.isEmpty)
      #expect(try await scene.broker.sessions()["one"] == nil)
    }
  }
}
