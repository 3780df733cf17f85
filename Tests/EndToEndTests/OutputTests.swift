import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// An stdout that cannot be written: on a full disk, or after the reader has left.
@Suite struct OutputTests {
  /// Runs a line of bash in which `$worker` is the program. Returns its stderr and its exit code.
  private func shell(_ scene: Scene, _ line: String) async throws -> (end: ProcessEnd, errors: String, output: String) {
    let variables = [
      "worker": try WorkerProcess.executable.string, "MQTT_URL": scene.broker.url, "MQTT_JOBS_DIR": scene.jobs.string,
      "MQTT_WORKSPACES_DIR": scene.workspaces.string,
    ]
    let bash = try scene.start(
      installed("bash"), ["-c", line], environment: scene.environment.merging(variables) { $1 }, name: "bash")
    return (try await bash.end(), bash.errors, bash.output)
  }

  @Test(arguments: [
    "jobs", "jobs --json", "jobs --metrics", "status done", "status done --json", "run jobs/done", "logs done",
    "workers --wait 1s",
    "workers --json --wait 1s", "check jobs/done", "doctor volume", "doctor volume --json", "-V", "approve",
    "sign --key key.pem jobs/done", "submit --detach jobs/other", "health --wait 1s", "health --json --wait 1s",
    "--help", "submit --help", "--generate-completion-script bash",
  ])
  func fullDiskIsNoSuccess(_ command: String) async throws {
    try await Scene.play(leaving: [.claims, .deferred, .workspaces]) { scene in
      try scene.job("done", steps: ["echo output"])
      try scene.job("other", steps: ["true"])
      try await scene.shell("umask 077; openssl genpkey -algorithm ed25519 -out '\(scene.root)/key.pem'")
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--jobs", "0"])
      try await worker.listens()
      try await scene.send("done")
      try await scene.awaitResult("done")
      if command == "approve" { try await park(scene) }
      let run = try await shell(scene, "$worker \(command) > /dev/full")
      #expect(run.end == .code(74), "\(run.errors)")
      #expect(run.errors.contains("cannot write to standard output: No space left on device"), "\(run.errors)")
      worker.send(SIGTERM)
      try await worker.end()
    }
  }

  private func park(_ scene: Scene) async throws {
    try scene.job("held", ["steps": ["true"], "requireApproval": true])
    try await scene.send("held")
    try await eventually("a request that waits") { scene.parked.count == 1 }
  }

  @Test func followedJobCountsMoreThanItsOutput() async throws {
    try await Scene.play { scene in
      for (step, code) in [("echo output", 74), ("echo output; exit 3", 3)] as [(JSON, Int32)] {
        try scene.job("job", steps: [step])
        try scene.worker()
        let run = try await shell(scene, "$worker submit jobs/job > /dev/full")
        #expect(run.end == .code(code), "\(run.errors)")
        #expect(run.errors.contains("cannot write to standard output"))
      }
    }
  }

  /// Like other tools without a reader, the command prints no error. A command that waits for a job continues to wait.
  @Test func readerWhoLeavesEndsSubmitWithTheJobsOwnCode() async throws {
    try await Scene.play { scene in
      let steps: [JSON] = ["seq 100000", "sleep 0.2; seq 100000; exit 7"]
      try scene.job("job", steps: steps)
      try scene.worker()
      let run = try await shell(scene, "$worker submit jobs/job | head -1; exit ${PIPESTATUS[0]}")
      #expect(run.end == .code(7), "\(run.errors)")
      #expect(run.output == "1\n")
      #expect(!run.errors.contains("standard output") && !run.errors.contains("pipe"))
      #expect(scene.result("job")["exitCode"] == 7)
    }
  }

  @Test(arguments: ["logs job", "logs job --follow", "status job --json", "jobs --json"])
  func readerWhoLeavesEndsOtherCommandsQuietly(_ command: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo output", scene.held])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the log") { scene.log("job") == "output\n" }
      let run = try await shell(scene, "exec 3> >(true); wait $!; exec $worker \(command) >&3")
      #expect(run.end == .code(141), "\(run.errors)")
      #expect(run.errors.isEmpty)
      try scene.release()
      try await worker.end()
    }
  }
}
