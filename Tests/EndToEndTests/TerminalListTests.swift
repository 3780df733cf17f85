import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// What `jobs`, `status` and `logs` show on a terminal.
@Suite(.enabled(if: Checkout.hasProgram("python3"), "needs python3"))
struct TerminalListTests {
  private func shown(
    _ scene: Scene, _ arguments: [String], environment extra: [String: String] = [:]
  ) async throws -> String {
    let command = [try WorkerProcess.executable.string] + arguments + ["-j", scene.jobs.string]
    let terminal = try scene.start(
      installed("python3"), [Checkout.root.pushing(FilePath("Tests/terminal.py")).string, ""] + command,
      environment: scene.environment.merging(["TERM": "xterm"]) { $1 }.merging(extra) { $1 }, name: "terminal")
    #expect(try await terminal.end() == .code(0), "\(terminal.output)")
    return terminal.output.replacingOccurrences(of: "\r\n", with: "\n")
  }

  /// A result of a job that ended two minutes ago.
  private func finished(_ scene: Scene, _ id: String, _ status: String, _ code: Int) throws {
    let end = Date(timeIntervalSinceNow: -125).ISO8601Format(.init(includingFractionalSeconds: true))
    let result: JSON = [
      "schema": 1, "jobId": .string(id), "status": .string(status), "exitCode": .number(Double(code)),
      "timing": ["start": .string(end), "end": .string(end), "durationMs": 1500], "steps": [], "attempt": 1,
      "workerId": "worker-01", "workerVersion": "0.1.0", "host": "host", "artifacts": [], "deleted": [], "skipped": [],
    ]
    try scene.job(id, steps: ["true"])
    try scene.write(result.text, scene.jobs.appending(id).pushing("results/result.json"))
  }

  @Test func listHasTheTerminalsWidthAgesColoursAndTotals() async throws {
    try await Scene.play(.down) { scene in
      for number in 1...33 { try finished(scene, "job-\(number)", "success", 0) }
      try finished(scene, String(repeating: "long", count: 30), "failed", 3)
      let list = try await shown(scene, ["jobs"])
      let lines = list.split(separator: "\n")
      #expect(lines.count == 32 && lines[0].hasPrefix("JOB "), "\(list)")
      #expect(lines.last == "34 jobs: 33 success, 1 failed; 30 are shown, --last shows more")
      #expect(list.contains("\u{1B}[32msuccess\u{1B}[0m") && list.contains("1.5 s") && list.contains("2 min ago"))
      let plain = try await shown(scene, ["jobs", "--last", "100"], environment: ["NO_COLOR": "1"])
      #expect(!plain.contains("\u{1B}") && plain.contains("failed (3)"))
      #expect(plain.split(separator: "\n").count == 36 && plain.split(separator: "\n").allSatisfy { $0.count <= 80 })
      let failed = try await shown(scene, ["jobs", "--status", "failed"])
      #expect(failed.contains("\u{1B}[31mfailed (3)\u{1B}[0m") && failed.hasSuffix("1 job: 1 failed\n"), "\(failed)")
    }
  }

  @Test func stepsOfALogHaveHeadings() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo one", ["name": "second", "run": "echo two"]])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await worker.end()
      #expect(
        try await shown(scene, ["logs", "job"])
          == "logs: step 1 of 2: echo one (step_0.log)\none\nlogs: step 2 of 2: second (step_1.log)\ntwo\n")
      #expect(try await shown(scene, ["status", "job"]).contains(" s ago)"))
    }
  }
}
