import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

@testable import Jobs

/// The order in which a worker with two topics takes their requests.
@Suite struct UrgencyTests {
  @Test(arguments: [Pair.plain, .shared], [["--jobs", "1"], ["--jobs", "0"], ["--jobs", "0", "-v", "4"]])
  func urgentJobsComeBeforeTwentyQueuedOnes(_ topics: Pair, _ arguments: [String]) async throws {
    try await Scene.play { scene in
      let normal = try scene.orderedJobs(20, "normal-")
      let urgent = try scene.orderedJobs(5, "urgent-")
      let first = try scene.worker(on: topics.urgent, ["-t", topics.normal] + arguments)
      try await scene.bothListen(topics, "worker-01")
      try await first.kill()
      try await scene.send(all: normal)
      try await scene.send(all: urgent, on: "jobs/urgent")
      let loop = try scene.restartLoop(on: topics.urgent, ["-t", topics.normal] + arguments)
      try await scene.finish(normal + urgent)
      expect(scene.order, urgent, before: normal)
      #expect(loop.ends.allSatisfy { $0 == .code(0) })
    }
  }

  /// While the first job runs, a worker of a group defers all requests; any other leaves them with the broker.
  @Test(arguments: [Pair.plain, .shared], ["1", "0"])
  func urgentJobThatArrivesDuringAJobIsTheNext(_ topics: Pair, _ count: String) async throws {
    try await Scene.play { scene in
      let loop = try scene.restartLoop(on: topics.urgent, ["-t", topics.normal, "--jobs", count])
      try await scene.bothListen(topics, "worker-01")
      try scene.job("held", steps: [.string("\(scene.notingOrder("held")); \(scene.waiting(for: scene.gate()))")])
      try await scene.send("held")
      try await eventually("the job") { scene.order == ["held"] }
      let normal = try scene.orderedJobs(10, "normal-")
      let urgent = try scene.orderedJobs(2, "urgent-")
      try await scene.send(all: normal)
      try await scene.send(all: urgent, on: "jobs/urgent")
      if topics == .shared { try await eventually("deferred requests") { scene.deferred.count == 12 } }
      try scene.open(scene.gate())
      try await scene.finish(normal + urgent + ["held"])
      #expect(scene.order.first == "held")
      expect(Array(scene.order.dropFirst()), urgent, before: normal)
      #expect(loop.ends.allSatisfy { $0 == .code(0) })
    }
  }

  /// A request on the volume and one with the broker: the topic decides, not the place.
  @Test(arguments: [Pair.plain, .shared], [true, false])
  func requestOnTheVolumeIsAsUrgentAsItsTopic(_ topics: Pair, _ urgentIsDeferred: Bool) async throws {
    try await Scene.play { scene in
      let ids = try scene.orderedJobs(1, "urgent-") + scene.orderedJobs(1, "normal-")
      let arguments = ["-t", topics.normal]
      let first = try scene.worker(on: topics.urgent, arguments)
      try await scene.bothListen(topics, "worker-01")
      try await first.kill()
      if urgentIsDeferred {
        try scene.deferRequest(ids[0], for: topics.urgent)
        try await scene.send(ids[1])
      } else {
        try scene.deferRequest(ids[1], for: topics.normal)
        try await scene.send(ids[0], on: "jobs/urgent")
      }
      for _ in ids { #expect(try await scene.worker(on: topics.urgent, arguments).end() == .code(0)) }
      #expect(scene.order == ids)
      try await scene.settle()
    }
  }

  @Test func urgentRequestThatIsRejectedIsFollowedByTheNextUrgentOne() async throws {
    try await Scene.play { scene in
      let ids = try scene.orderedJobs(1, "urgent-") + scene.orderedJobs(1, "normal-")
      let topics = Pair.plain
      let first = try scene.worker(on: topics.urgent, ["-t", topics.normal])
      try await scene.bothListen(topics, "worker-01")
      try await first.kill()
      try await scene.send(ids[1])
      for text in ["no JSON", #"{"id":"../x"}"#] { try await scene.broker.publish("jobs/urgent", text) }
      try await scene.send("missing-folder", ["steps": 7], on: "jobs/urgent")
      try await scene.send(ids[0], on: "jobs/urgent")
      _ = try scene.restartLoop(on: topics.urgent, ["-t", topics.normal])
      try await scene.finish(ids)
      #expect(scene.order == ids)
    }
  }

  /// The worker waits for the broker's word that nothing more urgent is there, but not for ever.
  @Test func brokerThatDoesNotAnswerKeepsNoJobBack() async throws {
    let broker = try ScriptedBroker { .bytes($0.kind == .unsubscribe ? [] : $0.usualAnswer) }
    try await Scene.play(.down) { scene in
      let ids = try scene.orderedJobs(1, "normal-")
      try scene.deferRequest(ids[0], for: Pair.plain.normal)
      let worker = try scene.worker(
        on: Pair.plain.urgent, ["-t", Pair.plain.normal, "-u", "mqtt://127.0.0.1:\(broker.port)"])
      #expect(try await worker.end() == .code(0))
      #expect(scene.order == ids)
    }
  }

  /// Jobs of one topic may pass each other: some wait on the volume, and others with the broker.
  private func expect(_ order: [String], _ urgent: [String], before normal: [String]) {
    #expect(order.count == urgent.count + normal.count)
    #expect(Set(order.prefix(urgent.count)) == Set(urgent), "\(order)")
    #expect(Set(order.dropFirst(urgent.count)) == Set(normal), "\(order)")
  }

  /// Two filters for the same requests: with `$share` and without.
  struct Pair: Equatable, Sendable {
    let urgent: String
    let normal: String

    static let plain = Pair(urgent: "jobs/urgent", normal: "jobs/pending")
    static let shared = Pair(urgent: "$share/workers/jobs/urgent", normal: "$share/workers/jobs/pending")
  }
}

extension Scene {
  /// Waits until the worker `id` listens to both topics.
  fileprivate func bothListen(_ topics: UrgencyTests.Pair, _ id: String) async throws {
    for name in [id, SessionName.intake(of: id, SessionName.mark(of: topics.normal))] {
      try await broker.logged("Sending SUBACK to \(name)\n")
    }
  }

  /// The jobs that have begun, in their order.
  fileprivate var order: [String] {
    ((try? String(contentsOfFile: files.appending("order").string, encoding: .utf8)) ?? "").split(separator: "\n").map(
      String.init)
  }

  fileprivate func notingOrder(_ id: String) -> String { "echo \(id) >> \(files)/order" }

  fileprivate func orderedJobs(_ count: Int, _ prefix: String) throws -> [String] {
    let ids = (1...count).map { "\(prefix)\($0)" }
    for id in ids { try job(id, steps: [.string(notingOrder(id))]) }
    return ids
  }

  /// Puts down a request as a busy worker of `filter` does.
  fileprivate func deferRequest(_ id: String, for filter: String) throws {
    let folder = filter.replacing("/", with: "%2F").replacing("$", with: "%24")
    let payload = JSON.object(["id": .string(id)]).text
    let envelope: JSON = ["payload": .string(payload), "topic": "jobs", "requestId": .string("key-\(id)")]
    try write(envelope.text, jobs.appending(".worker/waiting").appending(folder).appending("1-\(id).json"))
  }
}
