import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// Requests that arrive more than once.
@Suite(.everyAccess) struct DuplicateTests {
  @Test func requestThatWasAnsweredIsAnsweredAgainWithoutARun() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); exit 4")])
      try scene.job("other", steps: ["true"])
      let results = try await scene.results()
      for expected in 1...2 {
        let worker = try scene.worker()
        try await worker.listens()
        try await scene.send("job", ["requestId": "order-1"])
        try await results.messages(expected, on: "jobs/results/job")
        // Answering again is not a job, so the second life still waits for one.
        if expected == 2 { try await scene.send("other") }
        #expect(try await worker.end() == .code(0))
      }
      let (first, second) = (results.messages[0].json, results.messages[1].json)
      #expect(second["status"] == "failed")
      #expect(second["exitCode"] == 4)
      #expect(second["durationMs"] == first["durationMs"])
      #expect(scene.runs("job") == 1)
      #expect(scene.result("other")["status"] == "success")
      #expect(!scene.listing(scene.jobs.appending("job")).contains("results.previous/"))
    }
  }

  @Test func correlationDataIsAKeyToo() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string(scene.noteRun)])
      let replies = try await scene.broker.collect("replies/#")
      let loop = try scene.restartLoop()
      try await loop.current.listens()
      let correlation: [UInt8] = [7, 0, 255]
      for (topic, key) in [("replies/1", correlation), ("replies/2", correlation), ("replies/3", [1])] {
        try await scene.send("job", properties: MessageProperties(responseTopic: topic, correlationData: key))
        let reply = try await replies.message(on: topic)
        #expect(reply.json["status"] == "success")
        #expect(reply.properties.correlationData == key)
        // The next request must not meet the claim of this life.
        try await eventually("the end of the claim") { scene.claims.isEmpty }
      }
      try await eventually("the second run") { scene.runs("job") == 2 }
      #expect(try await loop.stop() == .code(0))
    }
  }

  @Test func newRequestForAFinishedJobRunsAgain() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo $WORD > word.txt; touch $WORD"])
      let results = try await scene.results()
      for (count, word) in [(1, "one"), (2, "two"), (3, "three")] {
        let worker = try scene.worker()
        try await worker.listens()
        try await scene.send("job", ["requestId": .string(word), "env": ["WORD": .string(word)]])
        try await results.messages(count)
        #expect(try await worker.end() == .code(0))
      }
      #expect(scene.text("job", "results/word.txt") == "three\n")
      #expect(scene.text("job", "results.previous/word.txt") == "two\n")
      // The folder is moved aside as a whole, never merged.
      #expect(scene.text("job", "results.previous/one") == nil)
      #expect(scene.text("job", "results/two") == nil)
      #expect(scene.result("job")["requestId"] == "three")
    }
  }

  /// The PUBACK was never sent, so the broker sends the message again with DUP after the job is done.
  @Test func redeliveredRequestForAFinishedJobIsOnlyAnswered() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string(scene.noteRun)])
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try await scene.send("job")
      let first = try scene.worker(stopAt: "claimed")
      try await first.reachesCheckpoint()
      try await first.kill()
      // The next life finds the claim before it connects to the request queue, and leaves the message there while it is
      // busy.
      #expect(try await scene.worker().end() == .code(0))
      try await scene.broker.session(of: "worker-01") { $0?.queued == 1 }

      let third = try scene.worker()
      try await results.messages(2)
      try await scene.broker.session(of: "worker-01") { $0?.queued == 0 }
      third.send(SIGTERM)
      #expect(try await third.end() == .code(0))
      #expect(scene.runs("job") == 1)
      #expect(results.messages.allSatisfy { $0.json["attempt"] == 2 && $0.json["status"] == "success" })
    }
  }

  /// The broker lost its sessions, so packet identifiers begin anew, and the new request arrives twice.
  @Test func newRequestInANewSessionIsRunThoughItsPacketIdentifierWasUsedBefore() async throws {
    var options = Broker.Options()
    options.persistence = .none
    try await Scene.play(broker: options) { scene in
      try scene.job("job", steps: ["echo ${WORD:-none}"])
      let first = try scene.worker()
      try await first.listens()
      try await scene.send("job")
      #expect(try await first.end() == .code(0))
      #expect(scene.log("job") == "none\n")
      try await scene.broker.restart()
      let second = try scene.worker(stopAt: "received")
      try await second.listens()
      try await scene.send("job", ["env": ["WORD": "new"]])
      try await second.reachesCheckpoint()
      try await second.kill()
      #expect(try await scene.worker().end() == .code(0))
      #expect(scene.log("job") == "new\n")
    }
  }

  @Test(arguments: ["jobs/pending", "$share/workers/jobs/pending"])
  func jobThatIsBeingWorkedOnIsADuplicate(_ filter: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); \(scene.waitForGate)")])
      try scene.job("other", steps: ["true"])
      let (results, events) = (try await scene.results(), try await scene.events())
      let workers = try ["worker-01", "worker-02"].map { try scene.worker($0, on: filter) }
      for worker in workers { try await worker.listens() }
      // Without a group, each worker gets a copy. In a group, the second request goes to either worker.
      for _ in 0..<(filter == "jobs/pending" ? 1 : 2) { try await scene.send("job") }
      try await events.message(on: "jobs/events/job") { $0.json["event"] == "duplicate" }
      // The other worker still waits, and takes the next request.
      try await scene.send("other")
      try await results.message(on: "jobs/results/other") { $0.json["status"] == "success" }
      try scene.openGate()
      try await results.message(on: "jobs/results/job") { $0.json["status"] == "success" }
      for worker in workers { #expect(try await worker.end() == .code(0)) }
      #expect(scene.runs("job") == 1)
      #expect(events.messages(on: "jobs/events/job").count { $0.json["event"] == "accepted" } == 1)
    }
  }

  @Test func oneRequestForTwoWorkersAtTheSameInstantIsRunOnce() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); \(scene.waitForGate)")])
      let (results, events) = (try await scene.results(), try await scene.events())
      let ids = (1...3).map { "worker-0\($0)" }
      for id in ids { try await scene.broker.makeSession(id, on: "jobs/pending") }
      try await scene.send("job", ["requestId": "one"])
      // All workers stop before they claim, and continue together.
      let workers = try ids.map { try scene.worker($0, stopAt: "received") }
      for worker in workers { try await worker.reachesCheckpoint() }
      for worker in workers { worker.thaw() }
      try await eventually("the step") { scene.runs("job") == 1 }
      for id in ids { try await scene.broker.session(of: id) { $0?.queued == 0 } }
      #expect(scene.claims == ["job.1.json"])
      try scene.openGate()
      try await results.message(on: "jobs/results/job")
      #expect(events.messages.count { $0.json["event"] == "accepted" } == 1)
      for worker in workers where worker.process.end == nil { worker.send(SIGTERM) }
      for worker in workers { #expect(try await worker.end() == .code(0)) }
      #expect(scene.runs("job") == 1)
      #expect(results.messages.count == 1)
    }
  }
}
