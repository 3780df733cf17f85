import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// Requests that wait for approval while workers die, are busy, or find something else than what was approved.
@Suite struct ApprovalFaultTests {
  /// The broker sends the request again, or the next worker takes the claim over.
  @Test(
    arguments: ["parked", "deferredRequestClaimed", "claimed", "started", "resultWritten"],
    ["jobs/pending", "$share/workers/jobs/pending"])
  func jobIsRunOnceWhereverItsWorkerIsKilled(_ checkpoint: String, _ filter: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", approved(scene.noteRun))
      let results = try await scene.results()
      let beforeApproval = checkpoint == "parked"
      let first = try scene.worker(on: filter, approvalLease, stopAt: beforeApproval ? checkpoint : nil)
      try await first.listens()
      try await scene.send("job")
      if beforeApproval {
        try await first.reachesCheckpoint()
      } else {
        try await eventually("the parked request") { scene.parked.count == 1 }
      }
      try await first.kill()
      if !beforeApproval {
        #expect(try await scene.approve("job").end == .code(0))
        // Only requests that the broker delivers pass the point "claimed".
        let second = try scene.worker(on: filter, approvalLease, stopAt: checkpoint == "claimed" ? "begun" : checkpoint)
        try await second.reachesCheckpoint()
        try await second.kill()
      }
      let third = try scene.worker(on: filter, approvalLease)
      if beforeApproval {
        try await scene.broker.session(of: "worker-01") { $0?.queued == 0 }
        #expect(scene.parked.count == 1)
        #expect(try await scene.approve("job").end == .code(0))
      }
      #expect(try await third.end() == .code(0))
      try await results.message { $0.json["status"] == "success" }
      #expect(scene.audit().filter { $0["event"] == "parked" }.count == 1)
      #expect(try await scene.worker(on: filter, ["--idle-timeout", "1s"]).end() == .code(0))
      #expect(scene.runs("job") as Int == 1 && scene.parked.isEmpty)
    }
  }

  @Test(arguments: ["approved", "rejected"], ["decisionWritten", "decisionMade"])
  func decisionIsMadeOnceWhereverItsMakerIsKilled(_ decision: String, _ checkpoint: String) async throws {
    try await Scene.play { scene in
      let results = try await scene.results()
      try await scene.parkAndLeave(steps: scene.noteRun)
      let arguments = ["job"] + (decision == "rejected" ? ["--reject"] : [])
      let killed = try scene.client(
        ["approve", "-j", scene.jobs.string] + arguments, environment: ["MQTT_FS_WORKER_STOP_AT": checkpoint])
      try await killed.stopped()
      killed.send(SIGKILL)
      _ = try await killed.end()
      let worker = try scene.worker(approvalLease)
      // The worker begins an approved request at once, and may have ended before it listens.
      if checkpoint == "decisionWritten" {
        try await worker.listens()
        #expect(try await scene.approve("job", decision == "rejected" ? "--reject" : "--yes").end == .code(0))
      }
      let status: JSON = decision == "rejected" ? "rejected" : "success"
      try await results.message { $0.json["status"] == status }
      try await eventually("nothing left") { scene.claims.isEmpty && scene.deferred.isEmpty && scene.parked.isEmpty }
      #expect(scene.runs("job") as Int == (decision == "rejected" ? 0 : 1))
      #expect(results.messages.count == 1)
    }
  }

  @Test func rejectionIsAnsweredAlsoWhenItsWorkerIsKilled() async throws {
    try await Scene.play { scene in
      let results = try await scene.results()
      try await scene.parkAndLeave(steps: scene.noteRun)
      #expect(try await scene.approve("job", "--reject", "--by", "ada").end == .code(0))
      let first = try scene.worker(approvalLease, stopAt: "deferredRequestClaimed")
      try await first.reachesCheckpoint()
      try await first.kill()
      #expect(try await scene.worker(approvalLease + ["--idle-timeout", "3s"]).end() == .code(0))
      #expect(results.messages.map { $0.json["status"] } == ["rejected"])
      #expect(scene.runs("job") as Int == 0 && scene.deferred.isEmpty)
    }
  }

  /// With this lease, workers look at the volume every 200 s unless they are nudged.
  @Test func requestThatABusyWorkerDeferredIsParkedAndItsApprovalIsToldToIdleOnes() async throws {
    try await Scene.play { scene in
      let arguments = ["--lease", "600s", "--require-approval"]
      let busy = try scene.worker("busy", on: group, arguments)
      try await busy.listens()
      try scene.heldJob("held")
      try await scene.send("held")
      try await eventually("the parked request") { scene.parked.count == 1 }
      #expect(try await scene.approve("held", "-u", scene.broker.url).end == .code(0))
      try await scene.starts("held")
      try scene.job("job", steps: [.string(scene.noteRun)])
      try await scene.send("job")
      try await eventually("the deferred request") { scene.deferred.count == 1 }
      let idle = try scene.worker("idle", on: group, arguments)
      try await eventually("the parked request") { scene.parked.count == 1 && scene.deferred.isEmpty }
      try await idle.listens()
      #expect(idle.process.end == nil)
      #expect(try await scene.approve("job", "-u", scene.broker.url).end == .code(0))
      #expect(try await idle.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      try scene.open("held")
      #expect(try await busy.end() == .code(0))
    }
  }

  @Test func signedRequestIsCheckedAgainWhenItIsBegun() async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      let results = try await scene.results()
      let arguments = approvalLease + key.arguments + ["--require-approval"]
      let worker = try scene.worker(arguments)
      try await worker.listens()
      try scene.job("job", steps: [.string(scene.noteRun)])
      let request = try await scene.sign("job", with: key)
      try await scene.broker.publish("jobs/pending", request)
      try await eventually("the parked request") { scene.parked.count == 1 }
      // Waiting for approval has not used up the request's key.
      let approval = try await scene.approve("job")
      #expect(approval.end == .code(0) && approval.errors.contains("h1:"), "\(approval.errors)")
      #expect(try await worker.end() == .code(0))
      try await results.message { $0.json["status"] == "success" }
      #expect(scene.runs("job") as Int == 1)

      // The leeway for clocks is 10 seconds.
      let next = try scene.worker(arguments)
      try await next.listens()
      let expiry = (Date().timeIntervalSince1970 - 2).rounded()
      let short = try key.request("short", ["steps": [.string(scene.noteRun)], "exp": .number(expiry)])
      try await scene.broker.publish("jobs/pending", short)
      try await eventually("the parked request") { scene.parked.count == 1 }
      try await eventually("its end") {
        Date().timeIntervalSince1970 > expiry + 10
      }
      #expect(try await scene.approve("short").end == .code(0))
      let answer = try await results.message(on: "jobs/results/short")
      #expect(answer.json["status"] == "rejected" && answer.json["error"].text.contains("expired"), "\(answer.text)")
      #expect(scene.runs("short") as Int == 0)
    }
  }

  @Test func stagedDefinitionMustBeTheOneThatWasApproved() async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      let results = try await scene.results()
      try scene.job("job", approved(scene.noteRun))
      let request = try await scene.sign("job", with: key)
      // When the request is judged, job.json requires no approval.
      try scene.job("job", steps: [.string(scene.noteRun)])
      let worker = try scene.worker(approvalLease + key.arguments, stopAt: "acknowledged")
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", request)
      try await worker.reachesCheckpoint()
      try scene.job("job", approved(scene.noteRun))
      worker.send(SIGCONT)
      #expect(try await worker.end() == .code(0))
      let answer = try await results.message(on: "jobs/results/job")
      #expect(answer.json["status"] == "rejected" && answer.json["error"].text.contains("approval"), "\(answer.text)")
      #expect(scene.runs("job") as Int == 0)
    }
  }

  /// Anybody may have written a claim on the volume.
  @Test func jobThatNobodyApprovedIsNotTakenOver() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string(scene.noteRun)])
      let results = try await scene.results()
      let first = try scene.worker(approvalLease, stopAt: "acknowledged")
      try await first.listens()
      try await scene.send("job")
      try await first.reachesCheckpoint()
      try await first.kill()
      let second = try scene.worker(approvalLease + ["--require-approval"])
      let answer = try await results.message(on: "jobs/results/job")
      #expect(answer.json["status"] == "rejected" && answer.json["error"].text.contains("approval"), "\(answer.text)")
      try await eventually("the end of its claim") { scene.claims.isEmpty }
      #expect(scene.runs("job") as Int == 0)
      second.send(SIGTERM)
      try await second.end()
    }
  }
}
