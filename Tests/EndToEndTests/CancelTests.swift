import Glibc
import SystemPackage
import TestSupport
import Testing

/// Cancellations of jobs.
@Suite(.everyAccess) struct CancelTests {
  @Test(arguments: [
    ("jobs/cancel/job", ""), ("jobs/cancel/job", "enough"),
    ("workers/worker-01/command", #"{"command":"cancel","id":"job"}"#),
  ])
  func jobThatIsCanceledKeepsWhatItMade(_ topic: String, _ payload: String) async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: [
          "echo kept > kept.txt; echo ready; sleep 600", "echo never", ["run": "echo cleaned", "always": true],
        ])
      let results = try await scene.results()
      let worker = try await scene.listener()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "ready\n" }
      try await scene.broker.publish(topic, payload)
      let message = try await results.message(on: "jobs/results/job")
      #expect(try await worker.end() == .code(0))
      #expect(message.json["status"] == "canceled")
      let result = scene.result("job")
      #expect(result["status"] == "canceled")
      #expect(result["reason"] == "canceled")
      #expect(result["error"] == "the job was canceled")
      #expect(result["steps"].elements.map { $0["status"] } == ["canceled", "skipped", "success"])
      #expect(result["steps"][0]["signal"] == "SIGTERM")
      #expect(result["artifacts"].elements.map { $0["path"] } == ["kept.txt"])
      #expect(scene.text("job", "results/kept.txt") == "kept\n")
      #expect(scene.log("job", step: 2) == "cleaned\n")
    }
  }

  @Test func secondCancelEndsTheStepsThatCleanUp() async throws {
    try await Scene.play { scene in
      let cleanup: JSON = ["run": "echo cleaning; trap '' TERM; while :; do sleep 1; done", "always": true]
      try scene.job("job", steps: ["echo ready; sleep 600", cleanup, cleanup])
      let worker = try await scene.listener(["--grace", "600s"])
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "ready\n" }
      try await scene.broker.publish("jobs/cancel/job", "")
      try await eventually("the clean-up") { scene.log("job", step: 1) == "cleaning\n" }
      try await scene.broker.publish("jobs/cancel/job", "")
      #expect(try await worker.end() == .code(0))
      let result = scene.result("job")
      #expect(result["status"] == "canceled")
      #expect(result["reason"] == "canceled")
      #expect(result["steps"].elements.map { $0["status"] } == ["canceled", "canceled", "skipped"])
    }
  }

  /// A job can be canceled as soon as a worker has taken it.
  @Test func cancelsAreHeardBeforeJobsAreTaken() async throws {
    try await Scene.play { scene in
      _ = try await scene.listener()
      let lines = scene.broker.log.split(separator: "\n")
      let intake = try #require(lines.firstIndex { $0.contains(" as worker-01 (") })
      #expect(lines[..<intake].contains { $0.hasSuffix("Sending SUBACK to worker-01-control") })
    }
  }

  @Test func jobThatIgnoresItsCancelationIsKilledAfterTheGrace() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["trap '' TERM; echo ready; while :; do sleep 1; done"])
      let worker = try await scene.listener(["--grace", "1s"])
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "ready\n" }
      try await scene.broker.publish("jobs/cancel/job", "")
      #expect(try await worker.end() == .code(0))
      let result = scene.result("job")
      #expect(result["status"] == "canceled")
      #expect(result["steps"][0]["signal"] == "SIGKILL")
      #expect(result["steps"][0]["killed"] == true)
    }
  }

  /// The sender cancels a job, changes it and sends it again; the worker that takes it was idle at the cancellation.
  @Test func cancelationFromBeforeTheRequestDoesNotEndIt() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["sleep 1; echo done"])
      let worker = try await scene.listener()
      for topic in ["jobs/cancel/job", "workers/worker-01/command"] {
        try await scene.broker.publish(topic, #"{"command":"cancel","id":"job"}"#)
      }
      try await scene.broker.logged("Received PUBACK from worker-01-control", times: 2)
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.log("job") == "done\n")
    }
  }

  @Test func whatIsMeantForOthersOrUnknownDoesNothing() async throws {
    try await Scene.play { scene in
      let gate = scene.gate()
      try scene.job("job", steps: [.string("echo ready; \(scene.waiting(for: gate))")])
      let worker = try await scene.listener()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "ready\n" }
      let command = "workers/worker-01/command"
      try await scene.broker.publish("jobs/cancel/other", "")
      try await scene.broker.publish("jobs/cancel/$x", "")
      try await scene.broker.publish("workers/worker-02/command", #"{"command":"cancel","id":"job"}"#)
      try await scene.broker.publish(command, #"{"command":"cancel","id":"other"}"#)
      for (payload, sentence) in [
        (#"{"command":"restart","id":"job"}"#, #""restart" is not a command; known are "health-check", "#),
        (#"{"command":"cancel"}"#, #""id" is missing; "cancel" needs it"#),
        (#"{"command":"cancel","id":"../job"}"#, #""../job" is not a job id"#), ("cancel job", "is not JSON"),
        ("", "is not JSON"),
      ] {
        try await scene.broker.publish(command, payload)
        try await eventually("a refusal of \(payload)") {
          worker.logLines.contains {
            $0["level"] == "warning" && $0["message"].text.contains("refused a command on '\(command)'")
              && $0["message"].string?.contains(sentence) == true
          }
        }
      }
      #expect(worker.process.end == nil)
      try scene.open(gate)
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
    }
  }
}

extension Scene {
  /// A worker that receives jobs, and commands as well.
  func listener(_ arguments: [String] = []) async throws -> WorkerProcess {
    let worker = try worker("worker-01", on: "jobs/pending", arguments)
    try await worker.listens()
    return worker
  }
}
