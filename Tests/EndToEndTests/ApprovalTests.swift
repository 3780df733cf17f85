import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// Jobs that begin only after somebody has approved their request.
@Suite struct ApprovalTests {
  @Test(arguments: ["job.json", "flag", "environment", "flag and steps"])
  func jobIsRunWhenSomebodyHasApprovedIt(_ demand: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", ["steps": [.string(scene.noteRun)], "requireApproval": .bool(demand == "job.json")])
      let (events, results) = (try await scene.events(), try await scene.results())
      let worker = try scene.worker(
        approvalLease + (demand.hasPrefix("flag") ? ["--require-approval"] : []),
        environment: demand == "environment" ? ["JOB_REQUIRE_APPROVAL": "true"] : [:])
      try await worker.listens()
      try await scene.send("job", demand == "flag and steps" ? ["steps": [.string(scene.noteRun)]] : [:])
      let event = try await events.message(on: "jobs/events/job")
      #expect(event.json["event"] == "awaiting-approval")
      #expect(scene.parked.count == 1 && scene.claims.isEmpty)
      // The request is acknowledged, and the worker waits for the next.
      try await scene.broker.session(of: "worker-01") { $0?.queued == 0 }
      #expect(worker.process.end == nil && scene.runs("job") as Int == 0 && results.messages.isEmpty)

      let digest = event.json["requestDigest"].string ?? ""
      let approval = try await scene.approve("job", "--by", "ada", "--reason", "fine", "--digest", digest)
      #expect(approval.end == .code(0), "\(approval.errors)")
      #expect(approval.errors.contains("echo run >> $JOB_RESULTS_DIR") && approval.errors.contains(digest))
      #expect(try await worker.end() == .code(0))
      #expect(try await results.message(on: "jobs/results/job").json["status"] == "success")
      #expect(scene.runs("job") as Int == 1)
      let lines = scene.audit()
      #expect(lines.prefix(2).map { $0["event"].string } == ["parked", "claimed"])
      #expect(lines.allSatisfy { $0["id"] == "job" && $0["requestDigest"].string == digest })
      #expect(lines.dropFirst().allSatisfy { $0["approvedBy"] == "ada" })
      #expect(lines[1]["reason"] == "fine" && lines.last?["reason"] == .null)
      let definition = lines[1]["definitionDigest"].string
      // A request's own steps replace those in job.json, but job.json still counts.
      #expect(definition?.hasPrefix("sha256:") == true)
    }
  }

  @Test func rejectedRequestIsAnsweredAndNotRun() async throws {
    try await Scene.play { scene in
      try scene.job("job", approved(scene.noteRun))
      let results = try await scene.results()
      let worker = try scene.worker(approvalLease)
      try await worker.listens()
      try await scene.send("job", ["requestId": "order"])
      try await eventually("the parked request") { scene.parked.count == 1 }
      let rejection = try await scene.approve("job", "--reject", "--by", "ada", "--reason", "not on a Friday")
      #expect(rejection.end == .code(0))
      let answer = try await results.message(on: "jobs/results/job")
      #expect(answer.json["status"] == "rejected" && answer.json["requestId"] == "order")
      let sentence = answer.json["error"].text
      #expect(sentence.contains("rejected by ada") && sentence.contains("not on a Friday"), "\(sentence)")
      try await eventually("the end of its claim") { scene.claims.isEmpty && scene.deferred.isEmpty }
      let line = scene.audit().first { $0["event"] == "rejected" }
      #expect(line?["by"] == "ada" && line?["reason"] == "not on a Friday")
      #expect(scene.runs("job") as Int == 0 && results.messages.count == 1)
      let status = try scene.client(["status", "job"])
      #expect(try await status.end() == .code(0))
      #expect(status.output.contains("rejected:") && status.output.contains("not on a Friday"), "\(status.output)")
      // The worker still waits for its one job.
      try scene.job("next", steps: ["true"])
      try await scene.send("next")
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func requestIsNamedByItsJobOrItsKeyOrHowTheyBegin() async throws {
    try await Scene.play(leaving: .deferred) { scene in
      let worker = try scene.worker(["--require-approval", "--lease", "60s"])
      try await worker.listens()
      for id in ["build-1", "build-12", "test"] { try scene.job(id, steps: ["true"]) }
      for (id, key) in [("build-1", "a"), ("build-12", "b"), ("test", "c"), ("test", "order-1")] {
        try await scene.send(id, ["requestId": .string(key)])
      }
      try await eventually("four parked requests") { scene.parked.count == 4 }
      let list = try await scene.approve()
      #expect(list.output.split(separator: "\n").count == 5 && list.output.contains("build-12"))
      for (name, end, word) in [
        ("build", ProcessEnd.code(64), "build-12"), ("other", .code(66), "other"), ("test", .code(64), "order-1"),
      ] {
        let run = try await scene.approve(name)
        #expect(run.end == end && run.errors.contains(word), "\(name): \(run)")
      }
      #expect(scene.parked.count == 4 && scene.deferred.isEmpty)
      for (name, left) in [("build-1", 3), ("bui", 2), ("order-1", 1), ("test", 0)] {
        #expect(try await scene.approve(name).end == .code(0))
        #expect(scene.parked.count == left)
      }
      worker.send(SIGTERM)
      try await worker.end()
    }
  }

  @Test func requestWithAnotherDigestIsNotTheOneThatIsMeant() async throws {
    try await Scene.play(leaving: .deferred) { scene in
      let digest = try await scene.parkAndLeave(steps: scene.noteRun)
      try scene.tamper("parked")
      let approval = try await scene.approve("job", "--digest", digest)
      #expect(approval.end == .code(65) && approval.errors.contains("not the one"), "\(approval.errors)")
      #expect(scene.parked.count == 1 && scene.deferred.isEmpty)
    }
  }

  /// A request or a job.json that is exchanged after the approval needs a new approval.
  @Test(arguments: ["job.json", "request"]) func whatIsNotAsItWasApprovedWaitsAgain(_ changed: String) async throws {
    try await Scene.play { scene in
      let (events, results) = (try await scene.events(), try await scene.results())
      if changed == "job.json" {
        try scene.job("job", approved("echo before > which"))
        try await scene.parkAndLeave(nil)
      } else {
        try await scene.parkAndLeave(steps: "echo before > which")
      }
      #expect(try await scene.approve("job", "--by", "ada").end == .code(0))
      #expect(scene.deferred.count == 1)
      if changed == "job.json" {
        // The new job.json does not require approval; that makes no difference.
        try scene.job("job", steps: ["echo after > which"])
      } else {
        try scene.tamper("waiting")
      }
      events.clear()
      let worker = try scene.worker(approvalLease + ["--require-approval"])
      let event = try await events.message(on: "jobs/events/job")
      #expect(event.json["event"] == "awaiting-approval")
      #expect(event.json["error"].text.contains("approved by ada"), "\(event.text)")
      try await eventually("it waits again") { scene.parked.count == 1 && scene.deferred.isEmpty }
      #expect(scene.claims.isEmpty && results.messages.isEmpty)
      #expect(try await scene.approve("job").end == .code(0))
      #expect(try await worker.end() == .code(0))
      #expect(scene.text("job", "results/which") == "after\n")
    }
  }

  @Test(arguments: ["5", "4"]) func requestThatIsSentAgainWaitsOnce(_ version: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", approved(scene.noteRun))
      let (events, results) = (try await scene.events(), try await scene.results())
      let worker = try scene.worker(approvalLease + ["-v", version])
      try await worker.listens()
      for count in 1...3 {
        try await scene.send("job", ["requestId": "order"])
        // The sender hears that the request waits.
        try await events.messages(count, on: "jobs/events/job") { $0.json["event"] == "awaiting-approval" }
      }
      #expect(scene.parked.count == 1)
      #expect(scene.audit().filter { $0["event"] == "parked" }.count == 1)
      #expect(try await scene.approve("job").end == .code(0))
      #expect(try await worker.end() == .code(0))
      try await results.message(on: "jobs/results/job")
      #expect(scene.runs("job") as Int == 1 && results.messages.count == 1)
      // A new request needs a new approval.
      let next = try scene.worker(approvalLease + ["-v", version])
      try await next.listens()
      try await scene.send("job", ["requestId": "another"])
      try await eventually("the parked request") { scene.parked.count == 1 }
      #expect(try await scene.approve("job", "--reject").end == .code(0))
      try await results.message { $0.json["status"] == "rejected" }
      #expect(scene.runs("job") as Int == 1)
    }
  }

  /// A sender cannot fill the volume with parked requests.
  @Test func requestIsRejectedWhenTooManyWait() async throws {
    try await Scene.play(leaving: .deferred) { scene in
      let folder = scene.jobs.appending(".worker/parked/%24share%2Fworkers%2Fjobs%2Fpending")
      for number in 0..<1000 { try scene.write("{}", folder.appending("\(number)-other.json")) }
      try scene.job("job", approved("true"))
      let results = try await scene.results()
      let worker = try scene.worker(on: group, approvalLease)
      try await worker.listens()
      try await scene.send("job")
      let answer = try await results.message(on: "jobs/results/job")
      #expect(answer.json["status"] == "rejected" && answer.json["error"].text.contains("1000"), "\(answer.text)")
      worker.send(SIGTERM)
      try await worker.end()
    }
  }

  @Test func retainedRequestIsClearedWhenItIsParked() async throws {
    try await Scene.play { scene in
      try scene.job("job", approved("true"))
      try await scene.broker.publish("jobs/pending", #"{"id":"job"}"#, .retained)
      let worker = try scene.worker(approvalLease)
      try await eventually("the parked request") { scene.parked.count == 1 }
      #expect(try await scene.approve("job").end == .code(0))
      #expect(try await worker.end() == .code(0))
      let late = try await scene.broker.collect("jobs/#")
      try await late.message(on: "jobs/results/job")
      #expect(late.messages(on: "jobs/pending").isEmpty)
    }
  }

  @Test func everybodyIsToldThatItWaits() async throws {
    try await Scene.play { scene in
      let folder = try scene.folder("job", approved("echo hello"))
      let worker = try scene.worker(approvalLease)
      try await worker.listens()
      let submit = try scene.submit(folder)
      try await submit.says("waits for approval")
      let jobs = try await scene.run(["jobs", "--json", "-j", scene.jobs.string])
      let listed = try JSON(Data(jobs.output.utf8)).elements
      #expect(listed.map { $0["state"].string } == ["awaiting-approval"])
      let status = try await scene.run(["status", "job", "-j", scene.jobs.string])
      #expect(status.output.contains("mqtt-fs-worker approve job"), "\(status.output)")
      let cancel = try scene.client(["cancel", "job", "-j", scene.jobs.string])
      #expect(try await cancel.end() == .code(66))
      #expect(cancel.errors.contains("approve job --reject"), "\(cancel.errors)")
      #expect(try await scene.approve("job").end == .code(0))
      #expect(try await submit.end() == .code(0))
      #expect(submit.output == "hello\n")
      #expect(submit.errors.components(separatedBy: "waits for approval").count == 2, "\(submit.errors)")
      try await worker.end()
    }
  }

  @Test func senderTakesBackWhatWaits() async throws {
    try await Scene.play { scene in
      let results = try await scene.results()
      let worker = try scene.worker(approvalLease)
      try await worker.listens()
      let submit = try scene.submit(try scene.folder("job", approved("true")))
      try await submit.says("waits for approval")
      submit.send(SIGINT)
      #expect(try await submit.end() == .code(130))
      #expect(submit.errors.contains("withdrawn"), "\(submit.errors)")
      try await results.message { $0.json["status"] == "rejected" && $0.json["error"].text.contains("withdrawn") }
      try await eventually("nothing left") { scene.claims.isEmpty && scene.deferred.isEmpty && scene.parked.isEmpty }
      worker.send(SIGTERM)
      try await worker.end()
    }
  }

  @Test func dryRunSaysThatItWouldWaitAndRuns() async throws {
    try await Scene.play(.down) { scene in
      try scene.job("job", approved("echo hello"))
      try scene.write(#"{"id":"job"}"#, scene.files.appending("request.json"))
      let worker = try scene.worker(["--dry-run", "--payload", scene.files.appending("request.json").string])
      #expect(try await worker.end() == .code(0))
      #expect(worker.log.components(separatedBy: "would wait for approval").count == 2, "\(worker.log)")
      #expect(scene.log("job") == "hello\n")
      let check = try await scene.run(["check", scene.jobs.appending("job").string])
      #expect(check.end == .code(0) && check.output.contains("requireApproval") && !check.output.contains("warning"))
    }
  }
}
