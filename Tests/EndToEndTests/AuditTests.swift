import Glibc
import SystemPackage
import TestSupport
import Testing

/// The audit log, `.worker/audit/<worker>.jsonl`: actions, their requesters and their outcome.
@Suite struct AuditTests {
  @Test func logTellsAJobFromItsRequestToItsResult() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true", "exit 3"])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job", ["requestId": "order-4711"])
      #expect(try await worker.end() == .code(0))
      let lines = scene.audit()
      #expect(lines.map(\.event) == ["claimed", "started", "step", "step", "completed", "published"])
      for line in lines {
        #expect(line["id"] == "job")
        #expect(line["attempt"] == 1)
        #expect(line["requestId"] == "order-4711")
        #expect(line["requestDigest"] == lines[0]["requestDigest"])
        #expect(line["topic"] == "jobs/pending")
        #expect(line["workerId"] == "worker-01")
        #expect(line["pid"] == .number(Double(worker.pid)))
        #expect(line["keyId"] == .null)
      }
      #expect(lines[0]["requestDigest"].string?.hasPrefix("sha256:") == true)
      // printf 'exit 3' | sha256sum
      #expect(
        lines[3]["commandDigest"] == "sha256:f83f8905b4f3be6305a76adaa981467528d13853f18cc464da8221c06bf35411")
      #expect(lines[3]["status"] == "failed" && lines[3]["exitCode"] == 3 && lines[3]["step"] == 1)
      for line in lines[4...] {
        #expect(line["status"] == "failed" && line["exitCode"] == 3)
        #expect(line["error"] == "step 1 failed with exit code 3")
      }
    }
  }

  @Test func requestsThatAreNotRunAreThere() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string(scene.waitForGate)])
      let results = try await scene.results()
      let worker = try scene.worker(on: "$share/workers/jobs/pending")
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", #"{"id":"../victim"}"#)
      try await scene.send("nowhere", ["timeout": "soon"])
      try await scene.send("job", ["requestId": "first"])
      try await eventually("the step") { scene.audit().map(\.event).contains("started") }
      try await scene.send("job", ["requestId": "second"])
      try await scene.send("other", ["steps": ["true"]])
      try await eventually("the decisions") { scene.audit().map(\.event).contains("put-down") }
      try scene.openGate()
      try await results.message(on: "jobs/results/job")
      #expect(try await worker.end() == .code(0))
      let next = try scene.worker(on: "$share/workers/jobs/pending", ["--jobs", "2"])
      try await results.message(on: "jobs/results/other")
      try await next.listens()
      try await scene.send("job", ["requestId": "first"])
      try await results.messages(2, on: "jobs/results/job")
      try await eventually("the note of the answer") { scene.audit().map(\.event).contains("answered") }

      let lines = scene.audit()
      let refused = lines.filter { $0.event == "rejected" }
      #expect(refused.count == 2)
      #expect(refused.first?["id"] == .null && refused.last?["id"] == "nowhere")
      #expect(refused.allSatisfy { $0["error"].string != nil && $0["requestDigest"].string != nil })
      #expect(lines.first { $0.event == "duplicate" }?["requestId"] == "second")
      #expect(lines.first { $0.event == "put-down" }?["id"] == "other")
      #expect(lines.last { $0.event == "answered" }?["requestId"] == "first")
      #expect(lines.filter { $0.event == "started" }.map { $0["id"] } == ["job", "other"])
    }
  }

  @Test func whoAskedForTheEndIsThere() async throws {
    try await Scene.play { scene in
      for id in ["canceled", "stopped"] { try scene.job(id, steps: ["sleep 1000"]) }
      let results = try await scene.results()
      let first = try scene.worker()
      try await first.listens()
      try await scene.send("canceled")
      try await eventually("the step") { scene.audit().map(\.event).contains("started") }
      try await scene.broker.publish("jobs/cancel/canceled", "")
      try await results.message(on: "jobs/results/canceled")
      #expect(try await first.end() == .code(0))
      #expect(scene.audit().first { $0.event == "canceled" }?["by"] == "jobs/cancel/canceled")
      #expect(scene.audit().last?["reason"] == "canceled")

      let second = try scene.worker("worker-02")
      try await second.listens()
      try await scene.send("stopped")
      try await eventually("the step") { scene.audit(of: "worker-02").map(\.event).contains("started") }
      second.send(SIGTERM)
      #expect(try await second.end() == .code(0))
      let lines = scene.audit(of: "worker-02")
      #expect(lines.map(\.event).suffix(3) == ["completed", "published", "left"])
      #expect(lines.last { $0.event == "completed" }?["reason"] == "shutdown")
    }
  }

  @Test func killSwitchIsThereWithItsReason() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker(["--lease", "1s"])
      try await worker.listens()
      try scene.write("disk is being replaced\n", scene.jobs.appending("KILLSWITCH"))
      try await worker.says("KILLSWITCH is there: no job is taken until it is removed (disk is being replaced)")
      #expect(scene.audit().last?["reason"] == "disk is being replaced")
      try scene.remove(scene.jobs.appending("KILLSWITCH"))
      try await worker.says("KILLSWITCH is gone")
      #expect(scene.audit().map(\.event) == ["halted", "resumed"])
    }
  }

  /// Each action has its line in the log before it happens, wherever the worker is killed. Each result ends as
  /// `published`.
  @Test(arguments: KilledWorkerTests.points.map(\.checkpoint))
  func logIsWholeWhereverTheWorkerIsKilled(_ checkpoint: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try await scene.send("job", ["requestId": "order-4711"])
      let first = try scene.worker(stopAt: checkpoint)
      try await first.reachesCheckpoint()
      let before = scene.audit()
      try await first.kill()
      #expect(scene.audit() == before)
      let known: [String: [String]] = [
        "received": [], "claimed": ["claimed"], "acknowledged": ["claimed"], "started": ["claimed", "started"],
        "resultWritten": ["claimed", "started", "step"],
        "published": ["claimed", "started", "step", "completed", "published"],
        "released": ["claimed", "started", "step", "completed", "published"],
      ]
      #expect(before.map(\.event) == known[checkpoint])
      for _ in 0..<2 { #expect(try await scene.worker(["--idle-timeout", "1s"]).end() == .code(0)) }
      try await results.message { $0.json["status"] == "success" }

      let lines = scene.audit()
      let attempt = scene.result("job")["attempt"]
      #expect(lines.filter { ["claimed", "taken-over"].contains($0.event) }.map { $0["attempt"] }.contains(attempt))
      for event in ["started", "step"] {
        #expect(lines.filter { $0.event == event && $0["attempt"] == attempt }.count == 1)
      }
      for event in ["completed", "published"] {
        let told = lines.filter { $0.event == event }
        #expect(!told.isEmpty && told.allSatisfy { $0["attempt"] == attempt && $0["status"] == "success" })
      }
      #expect(lines.allSatisfy { $0["requestId"] == "order-4711" })
    }
  }

  @Test func jobOfADeadWorkerNamesIt() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let first = try scene.worker("worker-01", ["--lease", "1s"], stopAt: "started")
      try await first.listens()
      try await scene.send("job")
      try await first.reachesCheckpoint()
      try await first.kill()
      #expect(try await scene.worker("worker-02", ["--lease", "1s"]).end() == .code(0))
      let lines = scene.audit(of: "worker-02")
      #expect(lines.first { $0.event == "taken-over" }?["from"] == "worker-01")
      #expect(lines.first { $0.event == "taken-over" }?["attempt"] == 2)
    }
  }

  @Test func dryRunIsThere() async throws {
    try await Scene.play { scene in
      try scene.write(#"{"id":"try","steps":["exit 4"]}"#, scene.files.appending("test-payload.json"))
      #expect(try await scene.run(["--dry-run"], in: scene.files).end == .code(4))
      let lines = scene.audit(in: scene.files.appending("jobs"))
      #expect(lines.map(\.event) == ["claimed", "started", "step", "completed", "published"])
      #expect(lines.last?["exitCode"] == 4)
    }
  }
}

extension JSON {
  /// The event of an audit line.
  var event: String { self["event"].string ?? "" }
}
