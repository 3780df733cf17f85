import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@Suite struct SubmitTests {
  @Test func outputComesWhileTheJobRunsAndItsExitCodeAtTheEnd() async throws {
    try await Scene.play { scene in
      let steps: JSON = [["run": "echo first"], scene.held, ["run": "echo second; echo third >&2; exit 7"]]
      let folder = try scene.folder("job", ["steps": steps])
      let worker = try scene.worker()
      try await worker.listens()
      let submit = try scene.submit(folder)
      try await submit.prints("first\n")
      #expect(submit.end == nil)
      try scene.release()
      #expect(try await submit.end() == .code(7))
      #expect(submit.output == "first\nsecond\nthird\n")
      #expect(submit.errors.contains("job job: failed"))
      #expect(scene.volume.contains("job/results/result.json"))
    }
  }

  @Test func outputIsTheLogByteForByte() async throws {
    try await Scene.play { scene in
      let folder = try scene.folder("job", ["steps": ["head -c 300000 data", "printf 'no newline'"]])
      let bytes = Data((0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
      try bytes.write(to: URL(fileURLWithPath: folder.appending("data").string))
      try scene.worker()
      let submit = try scene.submit(folder)
      #expect(try await submit.end() == .code(0))
      let logs = try ["0", "1"].map { step in
        try Data(contentsOf: URL(fileURLWithPath: scene.jobs.pushing(FilePath("job/results/step_\(step).log")).string))
      }
      let output = try Data(contentsOf: URL(fileURLWithPath: scene.files.appending("submit.2.out").string))
      #expect(output == logs[0] + logs[1])
      #expect(output.count == 300_010)
    }
  }

  @Test func withNoWorkerItSaysSoAndWaitsForOne() async throws {
    try await Scene.play { scene in
      let submit = try scene.submit(try scene.folder("job", ["steps": ["echo done"]]))
      try await submit.says("no worker listens for job job yet; waiting for one")
      #expect(submit.end == nil)
      try scene.worker()
      #expect(try await submit.end() == .code(0))
      #expect(submit.output == "done\n")
    }
  }

  @Test func requestThatTheBrokerKeepsForAWorkerThatIsAwayIsToldSo() async throws {
    try await Scene.play { scene in
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      let submit = try scene.submit(try scene.folder("job", ["steps": ["echo done"]]))
      try await submit.says("no worker has taken job job yet; the broker keeps the request")
      try scene.worker()
      #expect(try await submit.end() == .code(0))
      #expect(submit.output == "done\n")
    }
  }

  @Test func killSwitchIsWhyNoWorkerTakesIt() async throws {
    try await Scene.play { scene in
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try scene.write("backup\n", scene.jobs.appending("KILLSWITCH"))
      let submit = try scene.submit(try scene.folder("job", ["steps": ["echo done"]]))
      try await submit.says("the broker keeps the request; KILLSWITCH on the volume halts all workers: backup")
      unlink(scene.jobs.appending("KILLSWITCH").string)
      try scene.worker()
      #expect(try await submit.end() == .code(0))
    }
  }

  @Test func brokerThatRestartsMeanwhileChangesNothing() async throws {
    try await Scene.play { scene in
      let folder = try scene.folder("job", ["steps": ["echo first", scene.held, "echo second; exit 3"]])
      try scene.worker()
      let submit = try scene.submit(folder)
      try await submit.prints("first\n")
      try await scene.broker.restart()
      try scene.release()
      #expect(try await submit.end() == .code(3))
      #expect(submit.output == "first\nsecond\n")
    }
  }

  @Test func brokerThatLosesTheRequestIsGivenItAgain() async throws {
    var options = Broker.Options()
    options.persistence = .none
    try await Scene.play(broker: options) { scene in
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      let submit = try scene.submit(try scene.folder("job", ["steps": ["echo done"]]))
      try await submit.says("no worker has taken job job yet")
      try await scene.broker.restart()
      try scene.worker()
      #expect(try await submit.end() == .code(0))
      #expect(submit.output == "done\n")
    }
  }

  @Test func endIsReadFromTheVolumeWhenTheBrokerIsGone() async throws {
    try await Scene.play { scene in
      let folder = try scene.folder("job", ["steps": ["echo first", scene.held, "echo second; exit 3"]])
      let worker = try scene.worker()
      let submit = try scene.submit(folder)
      try await submit.prints("first\n")
      try await scene.broker.stop()
      try scene.release()
      #expect(try await submit.end() == .code(3))
      #expect(submit.output == "first\nsecond\n")
      try await scene.broker.start()
      try await worker.end()
    }
  }

  @Test func workerThatDiesIsFollowedByTheNext() async throws {
    try await Scene.play { scene in
      let folder = try scene.folder("job", ["steps": ["echo attempt $JOB_ATTEMPT", scene.held]])
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--lease", "2s"])
      let submit = try scene.submit(folder)
      try await submit.prints("attempt 1\n")
      try await worker.kill()
      try scene.worker("worker-02", on: "jobs/pending", ["--lease", "2s"])
      try await submit.prints("attempt 1\nattempt 2\n")
      #expect(submit.errors.contains("worker-02 takes job job over, attempt 2"))
      try scene.release()
      #expect(try await submit.end() == .code(0))
    }
  }

  @Test func resultMessageIsAllOfStdoutWhenItIsAskedFor() async throws {
    try await Scene.play { scene in
      try scene.worker()
      let submit = try scene.submit(try scene.folder("job", ["steps": ["echo out; exit 4"]]), ["--json"])
      #expect(try await submit.end() == .code(4))
      let result = try JSON(Data(submit.output.utf8))
      #expect(result["id"] == "job" && result["status"] == "failed" && result["exitCode"] == 4)
      #expect(result["manifestFile"] == "results/result.json" && result["tail"] == "out\n")
      #expect(submit.errors.contains("out\n"))
    }
  }

  @Test func detachedItLeavesWhenTheBrokerHasTheRequest() async throws {
    try await Scene.play { scene in
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      let submit = try scene.submit(try scene.folder("job", ["steps": ["echo done"]]), ["--detach"])
      #expect(try await submit.end() == .code(0))
      #expect(submit.output == "job\n")
      try scene.worker()
      let result = try await scene.awaitResult("job")
      #expect(result["status"] == "success", "\(result)")
    }
  }

  @Test func speaksMQTT311() async throws {
    try await Scene.play { scene in
      let submit = try scene.submit(try scene.folder("job", ["steps": ["echo done; exit 2"]]), ["-v", "4"])
      try await submit.says("no worker has taken job job yet")
      try scene.worker("worker-01", on: "jobs/pending", ["-v", "4"])
      #expect(try await submit.end() == .code(2))
      #expect(submit.output == "done\n")
    }
  }

  @Test func topicOfASharedSubscriptionIsTheOneBehindIt() async throws {
    try await Scene.play { scene in
      try scene.worker(on: "$share/workers/jobs/pending")
      let submit = try scene.submit(
        try scene.folder("job", ["steps": ["true"]]), environment: ["MQTT_TOPIC": "$share/workers/jobs/pending"])
      #expect(try await submit.end() == .code(0))
    }
  }

  @Test func signedRequestIsTakenByAWorkerThatWantsASignature() async throws {
    try await Scene.play { scene in
      let key = scene.files.appending("secret")
      try scene.write("hs256:" + String(repeating: "s3cret", count: 8) + "\n", key)
      chmod(key.string, 0o600)
      let folder = try scene.folder("job", ["steps": ["cat file; exit 4"]], ["file": "x"])
      try scene.worker("worker-01", on: "jobs/pending", ["--verify-key", key.string])
      let unsigned = try scene.submit(folder, ["--id", "unsigned"])
      #expect(try await unsigned.end() == .code(65))
      let signed = try scene.submit(folder, ["--sign-key", key.string])
      #expect(try await signed.end() == .code(4), "\(signed.errors)")
      #expect(signed.output == "x")
      try scene.worker("worker-01", on: "jobs/pending", ["--verify-key", key.string])
      let bare = try scene.folder("bare", ["steps": ["exit 5"]])
      let carried = try scene.client(["submit", bare.string, "--no-volume", "--sign-key", key.string])
      #expect(try await carried.end() == .code(5), "\(carried.errors)")
    }
  }
}
