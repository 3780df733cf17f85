import Foundation
import SystemPackage
import TestSupport
import Testing

/// A job without MQTT.
@Suite struct DryRunTests {
  @Test func payloadRunsInAnEmptyFolder() async throws {
    try await Scene.play(.down) { scene in
      let folder = scene.files.appending("empty")
      try scene.write(
        #"{"id":"dry-run-test","steps":["echo 'Testing environment'"]}"#, folder.appending("test-payload.json"))
      let run = try await scene.run(["--dry-run"], in: folder)
      #expect(run.end == .code(0), "\(run.errors)")
      let message = try JSON(Data(run.output.utf8))
      #expect(message["id"] == "dry-run-test")
      #expect(message["status"] == "success")
      #expect(message["exitCode"] == 0)
      #expect(message["manifestFile"] == "results/result.json")
      #expect(run.output.split(separator: "\n").count == 1)
      let files = scene.listing(folder)
      #expect(files.contains("jobs/dry-run-test/results/result.json"))
      #expect(files.contains("jobs/dry-run-test/results/step_0.log"))
      #expect(!files.contains { $0.hasPrefix("jobs/.worker/claims/") && $0.hasSuffix(".json") })
      #expect(!files.contains { $0.hasPrefix("workspaces/dry-run-test") })
      let log = FileManager.default.contents(
        atPath: folder.pushing("jobs/dry-run-test/results/step_0.log").string)
      #expect(log == Data("Testing environment\n".utf8))
    }
  }

  @Test(arguments: [
    (#"{"id":"a","steps":["exit 7"]}"#, 7), (#"{"id":"a","steps":["kill -9 $$"]}"#, 137),
    (#"{"id":"a","steps":["sleep 30"],"timeout":"200ms"}"#, 124),
    (#"{"id":"a","steps":["sleep 30"],"timeout":1}"#, 124),
    (#"{"id":"../a","steps":["true"]}"#, 65), ("not json", 65), ("", 65), (#"{"steps":["true"]}"#, 65),
    (#"{"id":"not-there"}"#, 65),
  ])
  func exitCodeIsThatOfTheJob(_ payload: String, _ code: Int32) async throws {
    try await Scene.play(.down) { scene in
      let file = scene.files.appending("payload.json")
      try scene.write(payload, file)
      let run = try await scene.run(
        ["--dry-run", "--payload", file.string, "-j", scene.jobs.string, "-w", scene.workspaces.string])
      #expect(run.end == .code(code), "\(run.errors)")
      if code == 65 { #expect(!run.errors.isEmpty) }
    }
  }

  @Test func missingPayloadIsToldWithAnExample() async throws {
    try await Scene.play(.down) { scene in
      let run = try await scene.run(["--dry-run"], in: scene.files)
      #expect(run.end == .code(65))
      #expect(run.errors.contains("test-payload.json"))
      #expect(run.output.isEmpty)
    }
  }

  @Test func folderOfTheJobIsStagedAndGetsItsResults() async throws {
    try await Scene.play(.down) { scene in
      try scene.job("job", steps: ["tr a-z A-Z < input.txt > output.txt"], ["input.txt": "hello"])
      try scene.write(#"{"id":"job"}"#, scene.files.appending("payload.json"))
      let run = try await scene.run([
        "--dry-run", "--payload", scene.files.appending("payload.json").string, "-j", scene.jobs.string, "-w",
        scene.workspaces.string,
      ])
      #expect(run.end == .code(0))
      #expect(scene.text("job", "results/output.txt") == "HELLO")
    }
  }

  private func options(_ scene: Scene) throws -> [String] {
    let file = scene.files.appending("payload.json")
    try scene.write(#"{"id":"job"}"#, file)
    return ["--dry-run", "--payload", file.string, "-j", scene.jobs.string, "-w", scene.workspaces.string]
  }

  /// A request is no duplicate of a dry run, whether that one ends or dies.
  @Test(arguments: [false, true]) func requestRunsAfterADryRun(_ dies: Bool) async throws {
    try await Scene.play { scene in
      try scene.job("job", ["steps": [.string(scene.noteRun), scene.held]])
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--lease", "1s"])
      try await worker.listens()
      let dryRun = try scene.start(
        WorkerProcess.executable, try options(scene) + ["-i", "dry", "--lease", "1s"], environment: scene.environment,
        name: "dry run")
      try await eventually("the dry run's job") { scene.runs("job") == 1 }
      try await scene.send("job", ["requestId": "r1"])
      try await eventually("the request to wait") { scene.deferred.count == 1 }
      if dies { dryRun.send(SIGKILL) }
      try scene.release()
      try await dryRun.end()
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["requestId"] == "r1")
      #expect(scene.runs("job") == 2)
    }
  }

  @Test func resultThatCannotBePrintedIsToldAndForgotten() async throws {
    try await Scene.play(.down) { scene in
      let line = try options(scene).joined(separator: " ")
      for (code, end) in [(0, 74), (5, 5)] as [(Int, Int32)] {
        try scene.job("job", ["steps": [.string("echo \(code); exit \(code)")]])
        let run = try scene.start(
          installed("bash"), ["-c", "exec \(WorkerProcess.executable) \(line) > /dev/full"],
          environment: scene.environment, name: "bash")
        #expect(try await run.end() == .code(end), "\(run.errors)")
        #expect(scene.log("job") == "\(code)\n")
        #expect(scene.claims.isEmpty)
      }
    }
  }
}
