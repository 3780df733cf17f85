import Foundation
import Glibc
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
      #expect(terminal.output.contains("told") && terminal.output.contains("step 1 of 1: wait"))
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

  @Test func silentStepIsShownWithItsTime() async throws {
    try await Scene.play { scene in
      try scene.worker()
      let quiet: JSON = ["name": "quiet", "run": "until [ -e \(scene.files)/released ]; do sleep 0.05; done"]
      let folder = try scene.folder("job", ["steps": ["echo begun", quiet]])
      let command = [try WorkerProcess.executable.string, "submit", folder.string, "-j", scene.jobs.string]
      let terminal = try scene.start(
        installed("python3"), [Checkout.root.pushing(FilePath("Tests/terminal.py")).string, ""] + command,
        environment: scene.environment.merging(["MQTT_URL": scene.broker.url]) { $1 }, name: "terminal")
      try await eventually("the silent step") { terminal.output.contains("step 2 of 2: quiet, 3 s") }
      try scene.release()
      #expect(try await terminal.end() == .code(0))
    }
  }

  @Test func outputWaitsWhileItAsks() async throws {
    try await Scene.play { scene in
      try scene.worker()
      let step =
        "echo begun; until [ -e \(scene.files)/more ]; do sleep 0.02; done; echo told; touch \(scene.files)/said"
      let folder = try scene.folder("job", ["steps": [.string(step)]])
      let command = [try WorkerProcess.executable.string, "submit", folder.string, "-j", scene.jobs.string]
      let person = "see begun\ntype ^C\nsee [y/N]\nsee left\ntype n\\n"
      let terminal = try scene.start(
        installed("python3"), [Checkout.root.pushing(FilePath("Tests/terminal.py")).string, person] + command,
        environment: scene.environment.merging(["MQTT_URL": scene.broker.url]) { $1 }, name: "terminal")
      try await eventually("the question") { terminal.output.contains("leaves it running)") }
      try scene.write("", scene.files.appending("more"))
      try await scene.awaitResult("job")
      // The job has ended by now, and nothing of it is shown before the answer.
      #expect(!terminal.output.contains("told"))
      try await eventually("a volume that is looked at") { scene.claims.isEmpty }
      #expect(!terminal.output.contains("told"))
      terminal.send(SIGTERM)
      try await terminal.end()
    }
  }

  @Test func interruptWhileItCopiesLeavesNothing() async throws {
    try await Scene.play { scene in
      let folder = try scene.folder("job", ["steps": ["true"]])
      try scene.fill(folder.appending("large"), megabytes: 400)
      let submit = try scene.submit(folder)
      try await eventually("the copy") { scene.listing(scene.jobs).contains { $0.hasPrefix(".submit-") } }
      submit.send(SIGINT)
      #expect(try await submit.end() == .code(130))
      #expect(submit.errors.contains("the copy is stopped: nothing of job job stays on the volume"), "\(submit.errors)")
      #expect(scene.volume.isEmpty)
    }
  }
}

extension Scene {
  /// Writes a file of so many megabytes, without holes.
  fileprivate func fill(_ path: FilePath, megabytes: Int) throws {
    let block = Data(repeating: 0x61, count: 1 << 20)
    try Data().write(to: URL(fileURLWithPath: path.string))
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path.string))
    defer { try? file.close() }
    for _ in 0..<megabytes { try file.write(contentsOf: block) }
  }
}
