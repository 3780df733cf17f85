import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// No queued job waits while a worker is idle, however long the other workers are busy.
@Suite struct HeadOfLineTests {
  @Test(arguments: [("5", 50), ("4", 20)])
  func oneIdleWorkerIsEnoughForAllThatWasDealtToBusyOnes(_ version: String, _ count: Int) async throws {
    try await Scene.play { scene in
      let held = (1...4).map { "held-\($0)" }
      let loops = try await scene.fleet(4, with: ["--lease", "2s", "-v", version])
      for id in held { try await scene.hold(id) }
      let ids = try scene.jobs(count)
      for code in try await scene.send(all: ids) { #expect(code == .success) }
      try await eventually("a deferred request for each job") { scene.deferred.count == count }
      #expect(scene.missing(ids).count == count)

      try scene.open(held[0])
      try await eventually("the results of all jobs") { scene.missing(ids).isEmpty }
      #expect(scene.missing(held) == Array(held.dropFirst()))
      for id in held { try scene.open(id) }
      try await scene.finish(held)
      scene.expectOneRun(of: held + ids)
      for loop in loops { #expect(loop.ends.allSatisfy { $0 == .code(0) }) }
    }
  }

  @Test(arguments: [[], ["--clean"]])
  func shortJobsAreDoneBeforeTheLongOneEnds(_ arguments: [String]) async throws {
    try await Scene.play { scene in
      _ = try await scene.fleet(4, with: ["--lease", "2s"] + arguments)
      // The job ends when the others have overtaken it, or else after a while.
      let gate = scene.files.appending("overtaken")
      try scene.job(
        "long", steps: [.string("for i in $(seq 900); do [ -e \(gate) ] && exit; sleep 0.1; done; exit 9")])
      try await scene.insist(on: ["long"])
      let ids = try scene.jobs(30, lasting: 0.2)
      try await scene.insist(on: ids)
      try await eventually("the short jobs' results, or the long one's") {
        scene.missing(ids).isEmpty || scene.missing(["long"]).isEmpty
      }
      #expect(scene.missing(ids).isEmpty)
      #expect(scene.missing(["long"]) == ["long"])
      try scene.write("", gate)
      try await scene.finish(ids + ["long"])
      scene.expectOneRun(of: ids)
      #expect(scene.result("long")["status"] == "success")
    }
  }

  @Test(arguments: [[], ["--clean"]])
  func thirtyJobsInAnyRhythmRunOnce(_ arguments: [String]) async throws {
    try await Scene.play { scene in
      let results = try await scene.results()
      let loops = try await scene.fleet(2, with: ["--lease", "2s"] + arguments)
      let ids = try scene.jobs(30)
      try await scene.insist(on: Array(ids[..<20]))
      for id in ids[20...] {
        try await scene.insist(on: [id])
        try await eventually("the result of \(id)") { scene.missing([id]).isEmpty }
      }
      try await scene.finish(ids)
      scene.expectOneRun(of: ids)
      try await results.messages(30)
      #expect(Set(results.messages.map(\.topic)).count == 30)
      for loop in loops { #expect(loop.ends.allSatisfy { $0 == .code(0) }) }
    }
  }
}
