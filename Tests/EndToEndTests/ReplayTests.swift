import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Repeated signed requests, and forged files on a volume that anybody may write to.
@Suite struct ReplayTests {
  @Test func replayIsNotRun() async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      let results = try await scene.results()
      let arguments = key.arguments + ["--lease", "2s"]
      let request = try key.request("job", ["steps": [.string(scene.noteRun)]])
      let loop = try scene.restartLoop("worker-01", on: group, arguments)
      try await loop.current.listens()
      try await scene.broker.publish("jobs/pending", request)
      try await results.message(on: "jobs/results/job") { $0.json["status"] == "success" }
      // The result exists: the next life publishes it again. The first life may still be leaving.
      try await eventually("the end of the first life") { loop.ends.count == 1 }
      try await scene.listens(loop)
      try await scene.broker.publish("jobs/pending", request)
      try await results.messages(2, on: "jobs/results/job") { $0.json["status"] == "success" }
      // The result is gone, or is of another request, and another worker gets the request.
      try scene.remove(scene.jobs.appending("job/results"))
      try await scene.broker.publish("jobs/pending", request)
      let first = try await results.message(on: "jobs/results/job") { $0.json["status"] == "rejected" }
      #expect(first.json["error"].text.contains("once only"), "\(first.text)")
      try await scene.broker.publish("jobs/pending", try key.request("job", ["steps": [.string(scene.noteRun)]]))
      try await results.messages(3, on: "jobs/results/job") { $0.json["status"] == "success" }
      #expect(try await loop.stop() == .code(0))
      results.clear()
      let other = try scene.worker("other", on: "jobs/pending", arguments)
      try await other.listens()
      try await scene.broker.publish("jobs/pending", request)
      let second = try await results.message(on: "jobs/results/job")
      #expect(second.json["status"] == "rejected" && second.json["error"].text.contains("once only"))
      #expect(scene.runs("job") == 2)
    }
  }

  /// One key cannot run two jobs.
  @Test func keyOfAnotherJobIsAReplay() async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      let results = try await scene.results()
      let claims: [String: JSON] = ["steps": ["true"], "jti": "order"]
      let loop = try scene.restartLoop("worker-01", on: "jobs/pending", key.arguments)
      try await loop.current.listens()
      try await scene.broker.publish("jobs/pending", try key.request("one", claims))
      try await results.message(on: "jobs/results/one") { $0.json["status"] == "success" }
      try await scene.broker.publish("jobs/pending", try key.request("two", claims))
      let answer = try await results.message(on: "jobs/results/two")
      #expect(answer.json["status"] == "rejected")
      #expect(answer.json["error"].text.contains("for the job one"), "\(answer.text)")
      #expect(try await loop.stop() == .code(0))
    }
  }

  @Test(
    arguments: ["claimed", "begun", "acknowledged", "started", "resultWritten", "published"], ["worker-01", "next"])
  func requestOfAKilledWorkerIsNoReplay(_ checkpoint: String, _ successor: String) async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      let results = try await scene.results()
      let arguments = key.arguments + ["--lease", "1s"]
      try scene.job("job", steps: [.string(scene.noteRun)])
      let request = try await scene.sign("job", with: key)
      let first = try scene.worker("worker-01", on: group, arguments, stopAt: checkpoint)
      try await first.listens()
      try await scene.broker.publish("jobs/pending", request)
      try await first.reachesCheckpoint()
      try await first.kill()
      // The broker sends the unacknowledged request to the same session again, and the worker publishes its result
      // again.
      for id in [successor, "worker-01"] {
        let worker = try scene.worker(id, on: group, arguments + ["--idle-timeout", "3s"])
        #expect(try await worker.end() == .code(0))
      }
      try await results.message(on: "jobs/results/job") { $0.json["status"] == "success" }
      #expect(!results.messages.contains { $0.json["status"] == "rejected" })
      #expect(scene.runs("job") == 1)
    }
  }

  @Test func deferredRequestsAndClaimsThatNobodySignedAreNotRun() async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      let results = try await scene.results()
      let step = "touch '\(scene.files)/ran'"
      let payloads: [(id: String, payload: String)] = [
        ("unsigned", JSON.object(["id": "unsigned", "steps": [.string(step)]]).text),
        (
          "expired",
          try key.request("expired", ["steps": [.string(step)], "exp": SceneKey.moment(-60), "jti": "forged-expired"])
        ),
        // Signed, but for another job.
        ("swapped", try key.request("other", ["steps": [.string(step)]])),
      ]
      for (id, payload) in payloads {
        let envelope = JSON.object([
          "payload": .string(payload), "topic": "jobs/pending", "requestId": .string("forged-\(id)"),
        ])
        try scene.write(
          envelope.text, scene.jobs.pushing(FilePath(".worker/waiting/jobs%2Fpending/1-\(id).json")))
      }
      let worker = try scene.worker(key.arguments + ["--idle-timeout", "10s"])
      for (id, _) in payloads {
        let answer = try await results.message(on: "jobs/results/\(id)")
        #expect(answer.json["status"] == "rejected", "\(answer.text)")
      }
      try await worker.listens()
      #expect(!scene.listing(scene.files).contains("ran"))
      #expect(scene.deferred.isEmpty)
    }
  }

  @Test func requestThatIsSwappedInAClaimIsNotRun() async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      let results = try await scene.results()
      let first = try scene.worker(key.arguments, stopAt: "acknowledged")
      try await first.listens()
      try await scene.broker.publish("jobs/pending", try key.request("job", ["steps": ["true"]]))
      try await first.reachesCheckpoint()
      try await first.kill()
      let forged = JSON.object(["id": "job", "steps": [.string("touch '\(scene.files)/ran'")]]).text
      guard case .object(var record)? = scene.claimRecords["job.1.json"],
        case .object(var envelope)? = record["envelope"]
      else { throw WaitedInVain("the claim is \(scene.claimRecords)") }
      envelope["payload"] = .string(forged)
      record["envelope"] = .object(envelope)
      try scene.write(JSON.object(record).text, scene.claim)
      let next = try scene.worker(key.arguments + ["--idle-timeout", "2s"])
      let answer = try await results.message(on: "jobs/results/job")
      #expect(answer.json["status"] == "rejected")
      #expect(answer.json["error"].text.contains("not signed"))
      #expect(try await next.end() == .code(0))
      #expect(!scene.listing(scene.files).contains("ran"))
    }
  }
}
