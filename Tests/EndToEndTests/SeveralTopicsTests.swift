import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

@testable import Jobs

/// Workers with several topics among other workers.
@Suite struct SeveralTopicsTests {
  private static let urgent = "$share/workers/jobs/urgent"
  private static let both = ["-t", group, "--lease", "1s"]

  /// The name of the session of `id` for requests that are not urgent.
  private func further(_ id: String, _ filter: String = group) -> String {
    SessionName.intake(of: id, SessionName.mark(of: filter))
  }

  private func bothListen(_ id: String, _ scene: Scene) async throws {
    for name in [id, further(id)] { try await scene.broker.logged("Sending SUBACK to \(name)\n") }
  }

  @Test func bothQueuesOfADeadWorkerAreRunByAnother() async throws {
    try await Scene.play { scene in
      let gone = try scene.worker("gone", on: Self.urgent, Self.both)
      try await bothListen("gone", scene)
      try await gone.kill()
      let (normal, urgent) = (try scene.jobs(4), try scene.jobs(3, "urgent-"))
      try await scene.send(all: normal)
      try await scene.send(all: urgent, on: "jobs/urgent")
      #expect(scene.members == ["gone.json", "\(further("gone")).json"])
      _ = try scene.restartLoop("one", on: Self.urgent, Self.both)
      try await scene.finish(normal + urgent)
      scene.expectOneRun(of: normal + urgent)
      for name in ["gone", further("gone")] { try await scene.broker.session(of: name) { $0 == nil } }
      try await eventually("the end of both memberships") {
        scene.members == ["one.json", "\(further("one")).json"]
      }
    }
  }

  @Test func jobOfTheSecondTopicIsTakenOverByAWorkerThatHasIt() async throws {
    try await Scene.play { scene in
      let first = try scene.worker("first", on: group, ["--lease", "1s"])
      try await first.listens()
      try await scene.hold("held")
      try await first.kill()
      // This one has only the other topic.
      let other = try scene.worker("other", on: Self.urgent, ["--lease", "1s"])
      try await other.listens()
      let second = try scene.worker("second", on: Self.urgent, Self.both)
      try await eventually("the second attempt") { scene.runs("held") == ["1", "2"] }
      #expect(scene.claimRecords["held.2.json"]?["worker"] == "second")
      #expect(scene.claimRecords["held.2.json"]?["filter"].string == group)
      try await second.kill()
      let third = try scene.worker("third", on: group, ["--lease", "1s"])
      try await eventually("the third attempt") { scene.runs("held") == ["1", "2", "3"] }
      try scene.open("held")
      #expect(try await third.end() == .code(0))
      #expect(scene.result("held")["status"] == "success")
    }
  }

  /// The worker comes back without its second topic, and empties that session at once, into the second topic's queue.
  @Test func queueOfATopicThatAWorkerNoLongerHasIsRunByAnother() async throws {
    try await Scene.play { scene in
      let before = try scene.worker("one", on: Self.urgent, ["-t", group, "--lease", "60s"])
      try await bothListen("one", scene)
      try await before.kill()
      let ids = try scene.jobs(3)
      try await scene.send(all: ids)
      let changed = try scene.restartLoop("one", on: Self.urgent, ["--lease", "60s"])
      try await scene.broker.session(of: further("one")) { $0 == nil }
      try await eventually("the end of the membership") { scene.members == ["one.json"] }
      #expect(scene.deferred.count == 3)
      _ = try scene.restartLoop("two", on: group, ["--lease", "60s"])
      try await scene.finish(ids)
      scene.expectOneRun(of: ids)
      #expect(ids.allSatisfy { scene.result($0)["workerId"] == "two" })
      #expect(changed.ends.isEmpty)
    }
  }

  /// The topics change places: each keeps its requests, although the first topic's session is always the worker's own.
  @Test(arguments: [[urgent, group], ["jobs/urgent", "jobs/pending"]])
  func workerWhoseTopicsChangePlacesLosesNothing(_ topics: [String]) async throws {
    try await Scene.play { scene in
      let before = try scene.worker("one", on: topics[0], ["-t", topics[1]])
      for name in ["one", further("one", topics[1])] { try await scene.broker.logged("Sending SUBACK to \(name)\n") }
      try await before.kill()
      let (normal, urgent) = (try scene.jobs(3), try scene.jobs(3, "urgent-"))
      try await scene.send(all: normal)
      try await scene.send(all: urgent, on: "jobs/urgent")
      _ = try scene.restartLoop("one", on: topics[1], ["-t", topics[0]])
      try await scene.finish(normal + urgent)
      scene.expectOneRun(of: normal + urgent)
      try await eventually("the memberships") {
        scene.members == ["one.json", "\(further("one", topics[0])).json"]
      }
    }
  }

  @Test(arguments: ["5", "4"]) func fleetWithTwoTopicsAndCleanSessionsRunsEachJobOnce(_ version: String) async throws {
    try await Scene.play { scene in
      let clean = ["-t", group, "--lease", "2s", "--clean", "-v", version]
      let loops = try (1...3).map { try scene.restartLoop("worker-\($0)", on: Self.urgent, clean) }
      for loop in loops { try await bothListen(loop.id, scene) }
      let (normal, urgent) = (try scene.jobs(12), try scene.jobs(6, "urgent-"))
      for (ids, topic) in [(normal, "jobs/pending"), (urgent, "jobs/urgent")] {
        for id in ids {
          try await eventually("a subscriber") { try await scene.send(id, on: topic) == .success }
        }
      }
      try await scene.finish(normal + urgent)
      scene.expectOneRun(of: normal + urgent)
      #expect(loops.allSatisfy { $0.ends.allSatisfy { $0 == .code(0) } })
    }
  }

  @Test func killedWorkersOfTwoTopicsLoseNothing() async throws {
    try await Scene.play { scene in
      let loops = try (1...3).map { try scene.restartLoop("worker-\($0)", on: Self.urgent, Self.both) }
      for loop in loops { try await bothListen(loop.id, scene) }
      let (normal, urgent) = (try scene.jobs(20, lasting: 0.1), try scene.jobs(10, "urgent-", lasting: 0.1))
      try await scene.send(all: normal)
      try await scene.send(all: urgent, on: "jobs/urgent")
      for number in 1...6 {
        try await eventually("a third of the jobs") { scene.missing(normal + urgent).count <= 30 - 3 * number }
        loops[number % 3].kill()
      }
      try await eventually("all results") { scene.missing(normal + urgent).isEmpty }
      try await scene.settle()
      #expect((normal + urgent).allSatisfy { scene.result($0)["status"] == "success" })
    }
  }

  @Test func worksWithTheVariableAndTellsItsTopics() async throws {
    try await Scene.play { scene in
      let topics = [Self.urgent, group]
      let worker = try scene.start(
        WorkerProcess.executable, ["-j", scene.jobs.string, "-w", scene.workspaces.string],
        environment: scene.environment.merging([
          "MQTT_URL": scene.broker.url, "MQTT_TOPIC": "  \(topics.joined(separator: "  ")) ",
        ]) { $1 }, name: "worker")
      try await bothListen("worker-01", scene)
      let single = try scene.worker("single")
      try await single.listens()
      let list = try await eventually("both workers") {
        let list = try JSON(Data(try await scene.run(["workers", "-u", scene.broker.url, "--json"]).output.utf8))
        return list.elements.count == 2 ? list.elements : nil
      }
      #expect(list.map { $0["topic"] } == ["jobs/pending", .string(Self.urgent)])
      #expect(list.map { $0["topics"] } == [.null, .array(topics.map { .string($0) })])
      let table = try await scene.run(["workers", "-u", scene.broker.url]).output.split(separator: "\n")
      #expect(table[0].contains(" TOPICS") && table[2].contains(topics.joined(separator: " ")), "\(table)")
      single.send(SIGTERM)
      try await single.end()
      let alone = try await scene.run(["workers", "-u", scene.broker.url])
      #expect(alone.output.contains(" TOPICS"))
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
      #expect(scene.members == ["single.left", "worker-01.left", "\(further("worker-01")).left"])
    }
  }

  /// What is shared by the variable must not make each request urgent.
  @Test func submitTakesTheLeastUrgentTopicUnlessOneIsGiven() async throws {
    try await Scene.play { scene in
      let seen = try await scene.broker.collect("jobs/+")
      let variable = ["MQTT_TOPIC": "jobs/urgent $share/workers/jobs/pending"]
      for (id, arguments) in [("plain", []), ("now", ["-t", "jobs/urgent"]), ("shared", ["-t", Self.urgent])] {
        let folder = try scene.folder(id, ["steps": ["true"]])
        let submit = try scene.submit(folder, ["--detach"] + arguments, environment: variable)
        #expect(try await submit.end() == .code(0))
      }
      try await seen.messages(3)
      #expect(seen.messages.map(\.topic) == ["jobs/pending", "jobs/urgent", "jobs/urgent"])
    }
  }
}
