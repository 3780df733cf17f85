import Glibc
import MQTT
import TestSupport
import Testing

/// Requests that busy workers defer, and the workers that take them up.
@Suite(.everyAccess) struct DeferredQueueTests {
  /// A regular look every 200 s would find the request too, but late.
  @Test func idleWorkerTakesADeferredRequestUpAtOnce() async throws {
    try await Scene.play { scene in
      let loops = try await scene.fleet(2, with: ["--lease", "600s", "--log-level", "debug"])
      try await scene.hold("held")
      let ids = try scene.jobs(4)
      // One request at a time, so that the other worker is idle. The broker gives at least one of them to the busy
      // worker.
      for id in ids {
        try await scene.send(id)
        try await scene.awaitResult(id)
        try await eventually("the end of its claim") { scene.claims == ["held.1.json"] }
        for loop in loops { try await scene.listens(loop) }
      }
      let busy = scene.claimRecords["held.1.json"]?["worker"].string
      let holder = try #require(loops.first { $0.id == busy })
      #expect(holder.current.log.contains("deferred for an idle worker"))
      try scene.open("held")
      try await scene.finish(["held"])
      scene.expectOneRun(of: ids + ["held"])
    }
  }

  @Test func nudgesThatTheBrokerRefusesCostNoJob() async throws {
    var readOnly = Broker.Options.acl("topic readwrite jobs/#")
    readOnly.lines.append("max_inflight_messages 20")
    for broker in [readOnly, Broker.Options.refusingSubscriptions(to: "workers/waiting")] {
      try await Scene.play(broker: broker) { scene in
        _ = try await scene.fleet(2, with: ["--lease", "1s"])
        try await scene.hold("held")
        let ids = try scene.jobs(6)
        try await scene.send(all: ids)
        try await eventually("all results") { scene.missing(ids).isEmpty }
        try scene.open("held")
        try await scene.finish(["held"])
        scene.expectOneRun(of: ids + ["held"])
      }
    }
  }

  /// A busy worker takes it from the broker, which would have dropped it.
  @Test func requestThatWaitsLongerThanItsExpiryIsRejected() async throws {
    try await Scene.play { scene in
      _ = try await scene.fleet(1)
      try await scene.hold("held")
      try scene.job("late", steps: ["true"])
      let results = try await scene.results()
      try await scene.send("late", properties: MessageProperties(messageExpiry: 5))
      let end = ContinuousClock.now + .seconds(5)
      try await eventually("the request to wait, and its expiry") { scene.deferred.count == 1 && end < .now }
      try scene.open("held")
      let answer = try await results.message(on: "jobs/results/late")
      #expect(answer.json["status"] == "rejected")
      #expect(answer.json["error"].string?.contains("Message Expiry Interval") == true)
      try await scene.finish(["held"])
      #expect(scene.text("late", "results/result.json") == nil)
    }
  }

  @Test func fullQueueLeavesTheRestWithTheBroker() async throws {
    try await Scene.play { scene in
      let first = try await scene.fleet(1)
      try await scene.hold("held")
      let ids = try scene.jobs(74)
      for code in try await scene.send(all: ids) { #expect(code == .success) }
      try await eventually("a full queue") { scene.deferred.count == 64 }
      try await scene.broker.session(of: "worker-1") { $0?.queued == 10 }
      #expect(scene.deferred.count == 64)
      _ = try await scene.fleet(2, "other-")
      try await eventually("all results") { scene.missing(ids).isEmpty }
      #expect(scene.missing(["held"]) == ["held"])
      try scene.open("held")
      try await scene.finish(["held"])
      scene.expectOneRun(of: ids + ["held"])
      #expect(first[0].ends.allSatisfy { $0 == .code(0) })
    }
  }

  /// The request is deferred, and the broker will send it again.
  @Test(arguments: ["5", "4"])
  func workerKilledBetweenDeferralAndAcknowledgementCostsNoJobAndRunsNoneTwice(_ version: String) async throws {
    try await Scene.play { scene in
      let arguments = ["--lease", "1s", "-v", version]
      let (first, ids) = try await scene.worker(stoppedAt: "requestDeferred", of: 3, arguments)
      #expect(scene.deferred.count == 1)
      try await first.kill()
      try scene.open("held")
      let loop = try scene.restartLoop("one", on: group, arguments)
      try await scene.finish(ids + ["held"])
      scene.expectOneRun(of: ids)
      #expect(scene.runs("held") == ["1", "2"])
      _ = loop
    }
  }

  /// It stands still between its look at the connection and the file, and another worker gets the message again meanwhile.
  @Test(arguments: ["5", "4"])
  func messageThatIsDeferredTooLateIsNotRunAgain(_ version: String) async throws {
    try await Scene.play { scene in
      let arguments = ["--lease", "1s", "-v", version]
      let (first, ids) = try await scene.worker(stoppedAt: "deferring", of: 1, arguments)
      try scene.open("held")
      let others = try await scene.fleet(1, "other-", with: arguments)
      try await scene.awaitResult(ids[0])
      first.thaw()
      try await first.end()
      try await scene.finish(ids + ["held"])
      scene.expectOneRun(of: ids)
      _ = others
    }
  }

  /// As above, but another worker has run the job before the broker sends the message again.
  @Test(arguments: ["5", "4"])
  func messageOfADeferredRequestThatWasRunIsNotRunAgain(_ version: String) async throws {
    try await Scene.play { scene in
      let arguments = ["--lease", "1s", "-v", version]
      let (first, ids) = try await scene.worker(stoppedAt: "requestDeferred", of: 3, arguments)
      try scene.open("held")
      let others = try await scene.fleet(1, "other-", with: arguments)
      try await scene.awaitResult(ids[0])
      try await first.kill()
      let loop = try scene.restartLoop("one", on: group, arguments)
      try await scene.finish(ids + ["held"])
      try await scene.broker.session(of: "one") { $0?.queued == 0 }
      try await scene.settle()
      scene.expectOneRun(of: ids)
      _ = (loop, others)
    }
  }

  /// The job is claimed, and the deferred request is still there.
  @Test(arguments: ["itself", "another"])
  func workerKilledBetweenClaimAndRemovalOfTheDeferredRequestCostsNoJobAndRunsNoneTwice(_ next: String) async throws {
    try await Scene.play { scene in
      let arguments = ["--lease", "1s"]
      let first = try await scene.fleet(1, "busy-", with: arguments)
      try await scene.hold("held")
      let ids = try scene.jobs(2)
      try await scene.send(all: ids)
      try await eventually("the deferred requests") { scene.deferred.count == 2 }
      let second = try scene.worker("one", on: group, arguments, stopAt: "deferredRequestClaimed")
      try await second.reachesCheckpoint()
      #expect(scene.claims == ["held.1.json", "\(ids[0]).1.json"])
      #expect(scene.deferred.count == 2)
      try await second.kill()
      let loop = try scene.restartLoop(next == "itself" ? "one" : "two", on: group, arguments)
      try await eventually("the results") { scene.missing(ids).isEmpty }
      try scene.open("held")
      try await scene.finish(ids + ["held"])
      #expect(ids.map { scene.runs($0) } == [["2"], ["1"]])
      _ = (first, loop)
    }
  }
}

extension Scene {
  /// The worker "one", which has the job "held" and stands at `checkpoint` while it defers the first of `count` requests. The
  /// ids are theirs.
  fileprivate func worker(
    stoppedAt checkpoint: String, of count: Int, _ arguments: [String]
  ) async throws -> (WorkerProcess, [String]) {
    let worker = try worker("one", on: group, arguments, stopAt: checkpoint)
    try await worker.listens()
    try await hold("held")
    let ids = try jobs(count)
    try await send(all: ids)
    try await worker.reachesCheckpoint()
    return (worker, ids)
  }
}
