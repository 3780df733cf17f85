import Foundation
import SystemPackage
import TestSupport
import Testing

/// `submit` on a terminal, where it can ask a person.
@Suite(.enabled(if: Checkout.hasProgram("python3"), "needs python3"))
struct SubmitTerminalTests {
  /// Acts as a person who submits a job on a terminal.
  private func submit(_ scene: Scene, _ person: String) throws -> ChildProcess {
    let step = "trap 'echo told; exit 9' TERM; echo begun; while [ ! -e \(scene.files)/released ]; do sleep 0.05; done"
    let folder = try scene.folder("job", ["steps": [["name": "wait", "run": .string(step)]]])
    let command = [try WorkerProcess.executable.string, "submit", folder.string, "-j", scene.jobs.string]
    return try scene.start(
      installed("python3"), [Checkout.root.pushing(FilePath("Tests/terminal.py")).string, person] + command,
      environment: scene.environment.merging(["MQTT_URL": scene.broker.url]) { $1 }, name: "terminal")
  }

  @Test func itAsksOnceAndCancelsTheJobThen() async throws {
    try await Scene.play { scene in
      try scene.worker()
      let terminal = try submit(scene, "see begun\ntype ^C\nsee cancel the job? [y/N]\ntype y\\n")
      #expect(try await terminal.end() == .code(130))
      #expect(terminal.output.contains("told") && terminal.output.contains("step 0 of 0 to 0: wait"))
      #expect(scene.result("job")["status"] == "canceled")
    }
  }

  @Test func noMeansThatItGoesOn() async throws {
    try await Scene.play { scene in
      try scene.worker()
      let terminal = try submit(scene, "see begun\ntype ^C\nsee cancel the job? [y/N]\ntype n\\n")
      try await eventually("the question") { terminal.output.contains("[y/N]") }
      #expect(terminal.end == nil)
      try scene.release()
      #expect(try await terminal.end() == .code(0))
      #expect(terminal.output.contains("job job: success") && terminal.output.contains(", cpu "))
    }
  }

  @Test func secondCtrlCLeavesTheJobAlone() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker()
      let terminal = try submit(scene, "see begun\ntype ^C\nsee cancel the job? [y/N]\ntype ^C")
      #expect(try await terminal.end() == .code(130))
      #expect(terminal.output.contains("leaving; a running job continues"))
      try scene.release()
      try await worker.end()
      #expect(scene.result("job")["status"] == "success")
    }
  }
}
