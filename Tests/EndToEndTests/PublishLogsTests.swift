import Foundation
import MQTT
import SystemPackage
import TestSupport
import Testing

/// Logs over the broker, for readers without access to the volume.
@Suite struct PublishLogsTests {
  @Test func outputComesOverTheBrokerWhileTheJobRuns() async throws {
    try await Scene.play { scene in
      let folder = try scene.folder("job", ["steps": ["echo first", scene.held, "echo last; exit 3"]])
      try scene.worker("worker-01", on: "jobs/pending", ["--publish-logs"])
      let submit = try scene.client(["submit", folder.string, "--no-volume"])
      try await submit.prints("first\n")
      #expect(submit.end == nil)
      try scene.release()
      #expect(try await submit.end() == .code(3))
      #expect(submit.output == "first\nlast\n")
    }
  }

  @Test func senderWithoutAVolumeIsToldWhyNoOutputComes() async throws {
    try await Scene.play { scene in
      let folder = try scene.folder("job", ["steps": ["echo first; echo last; exit 3"]])
      let worker = try scene.worker()
      try await worker.listens()
      let submit = try scene.client(["submit", folder.string, "--no-volume"])
      #expect(try await submit.end() == .code(3))
      #expect(submit.output.isEmpty)
      #expect(submit.errors.contains("no output will come: there is no common volume here, and worker-01 runs without"))
      #expect(
        submit.errors.contains("submit: the end of its log:\nsubmit:   first\nsubmit:   last\n"), "\(submit.errors)")
    }
  }

  @Test func anyClientSeesWhatAStepWrites() async throws {
    try await Scene.play { scene in
      let logs = try await scene.broker.collect("jobs/logs/#")
      try scene.job("job", steps: ["head -c 200000 /dev/zero", "printf two"])
      let worker = try scene.worker("worker-01", on: "jobs/pending", environment: ["WORKER_PUBLISH_LOGS": "true"])
      try await worker.listens()
      try await scene.send("job", ["requestId": "r-1"])
      try await worker.end()
      let two = try await logs.message(on: "jobs/logs/job/1")
      #expect(two.text == "two" && two.qos == .atLeastOnce && two.retention == .notRetained)
      #expect(two.properties.userProperties.first { $0.name == "requestId" }?.value == "r-1")
      let pieces = logs.messages(on: "jobs/logs/job/0")
      #expect(pieces.reduce(0) { $0 + $1.payload.count } == 200_000)
      #expect(pieces.allSatisfy { $0.payload.count <= 65536 })
      var offset = 0
      for piece in pieces {
        #expect(piece.properties.userProperties.first { $0.name == "offset" }?.value == "\(offset)")
        offset += piece.payload.count
      }
    }
  }

  @Test func stepIsNotHeldUpByABrokerThatIsAway() async throws {
    try await Scene.play { scene in
      let folder = try scene.job("job", steps: ["echo first", scene.held, "echo last"])
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--publish-logs"])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the first line") { scene.log("job") == "first\n" }
      try await scene.broker.stop()
      try scene.release()
      // The step writes this before anything can be published.
      try await scene.awaitResult("job")
      try await scene.broker.start()
      try await worker.end()
      #expect(FileManager.default.fileExists(atPath: folder.string))
    }
  }

  @Test func ofAStepThatWritesTooMuchTheNewestComesAndTheRestIsCounted() async throws {
    try await Scene.play { scene in
      let folder = try scene.folder("job", ["steps": ["seq 1 2000000"]])
      try scene.worker("worker-01", on: "jobs/pending", ["--publish-logs"])
      let submit = try scene.client(["submit", folder.string, "--no-volume"])
      #expect(try await submit.end() == .code(0))
      #expect(submit.output.hasSuffix("\n1999999\n2000000\n"))
      #expect(submit.output.utf8.count < 10_000_000)
      #expect(submit.errors.contains("bytes of step 0's output were lost"))
      #expect(scene.log("job").hasPrefix("1\n2\n"))
    }
  }

  @Test func withoutTheOptionNothingLeavesTheVolume() async throws {
    try await Scene.play { scene in
      let logs = try await scene.broker.collect("jobs/logs/#")
      try scene.job("job", steps: ["echo secret"])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await worker.end()
      try await scene.broker.publish("jobs/logs/end", "")
      try await logs.message(on: "jobs/logs/end")
      #expect(logs.messages.count == 1)
    }
  }
}
