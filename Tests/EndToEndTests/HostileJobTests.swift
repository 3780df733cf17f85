import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Jobs that remove or fill the worker's files and folders.
@Suite struct HostileJobTests {
  private static let restored = "logs were removed while the job ran, and are restored"

  @Test func resultsThatAJobRemovesAreMadeAgain() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: [
          "echo zero; echo made > made.txt", "echo before; rm -rf \"$JOB_RESULTS_DIR\"; echo after", "echo second",
        ])
      let results = try await scene.results()
      let result = try await scene.outcome()
      #expect(result["status"] == "success")
      #expect(scene.log("job", step: 0) == "zero\n")
      #expect(scene.log("job", step: 1) == "before\nafter\n")
      #expect(scene.log("job", step: 2) == "second\n")
      #expect(scene.text("job", "results/made.txt") == "made\n")
      #expect(result["skipped"].elements.contains { $0["path"] == "results" && $0["reason"] == .string(Self.restored) })
      #expect(scene.results() == ["step_0.log", "step_1.log", "step_2.log", "made.txt", "result.json"])
      #expect(try await results.message().json["status"] == "success")
    }
  }

  @Test func linkInThePlaceOfResultsIsNotFollowed() async throws {
    try await Scene.play { scene in
      let outside = scene.files.appending("outside")
      try scene.write("mine", outside.appending("step_1.log"))
      try scene.job(
        "job",
        steps: [
          "rm -rf \"$JOB_RESULTS_DIR\"; ln -s \"$OUTSIDE\" \"$JOB_RESULTS_DIR\"; echo x > made.txt",
          "ln -sf \"$OUTSIDE/step_1.log\" \"$JOB_RESULTS_DIR/step_2.log\"; ln -s \"$OUTSIDE\" \"$JOB_RESULTS_DIR/dir\"",
          "mkdir dir; echo y > dir/made.txt; ln -s \"$OUTSIDE\" away",
        ])
      let result = try await scene.outcome(environment: ["OUTSIDE": outside.string])
      #expect(scene.listing(outside) == ["step_1.log"])
      #expect(try String(contentsOfFile: outside.appending("step_1.log").string, encoding: .utf8) == "mine")
      #expect(scene.text("job", "results/made.txt") == "x\n")
      #expect(result["skipped"].elements.contains { $0["path"] == "away" })
      #expect(scene.text("job", "results/step_2.log") == "")
    }
  }

  /// The worker must not write to the place that a job moved its results/ to.
  @Test func resultsThatAJobMovesAwayAreMadeAgain() async throws {
    try await Scene.play { scene in
      let outside = scene.files.appending("outside")
      try scene.write("mine", outside.appending("file"))
      try scene.job(
        "job",
        steps: [
          "echo made > made.txt; mv \"$JOB_RESULTS_DIR\" \"$OUTSIDE/moved\"; ln -s \"$OUTSIDE\" \"$JOB_RESULTS_DIR\"",
          "echo second",
        ])
      let result = try await scene.outcome(environment: ["OUTSIDE": outside.string])
      #expect(result["status"] == "success")
      #expect(scene.results() == ["step_0.log", "step_1.log", "made.txt", "result.json"])
      #expect(scene.listing(outside) == ["file", "moved/", "moved/.result.json.reserved", "moved/step_0.log"])
    }
  }

  @Test func whatAJobPutsInThePlaceOfTheResultGivesWay() async throws {
    try await Scene.play { scene in
      let victim = scene.files.appending("victim")
      try scene.write("mine", victim)
      try scene.job(
        "job",
        steps: [
          "mkdir -p \"$JOB_RESULTS_DIR/result.json/x\" \"$JOB_RESULTS_DIR/step_1.log/x\"",
          "ln -f \"$VICTIM\" \"$JOB_RESULTS_DIR/.result.json.reserved\"; chmod 0 \"$JOB_RESULTS_DIR\" .",
        ])
      let result = try await scene.outcome(environment: ["VICTIM": victim.string])
      #expect(result["status"] == "success")
      #expect(result["skipped"].elements.map { $0["path"] } == ["results/result.json"])
      #expect(scene.results() == ["step_0.log", "step_1.log", "result.json"])
      #expect(try String(contentsOfFile: victim.string, encoding: .utf8) == "mine")
    }
  }

  @Test func jobWhoseFolderIsRemovedIsAnErrorThatIsPublished() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["rm -rf \"${JOB_RESULTS_DIR%/results}\"", "echo never"])
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      let message = try await results.message().json
      #expect(try await worker.end() == .code(0))
      #expect(message["status"] == "error")
      #expect(message["error"].text.contains("\(scene.jobs)/job"))
      #expect(message["manifestFile"] == .null)
      #expect(scene.claims.isEmpty && scene.workspacesLeft.isEmpty)
    }
  }

  @Test func logThatAStepCutsIsSaidToBeCut() async throws {
    try await Scene.play { scene in
      let log = "\"$JOB_RESULTS_DIR/step_0.log\""
      try scene.job("job", steps: [.string("echo 12345; until test -s \(log); do sleep 0.01; done; : > \(log)")])
      let result = try await scene.outcome()
      #expect(result["status"] == "success")
      #expect(result["steps"][0]["logError"] == "step_0.log: it was cut to 0 bytes while the step ran")
      #expect(result["steps"][0]["logBytes"] == 0)
    }
  }

  /// A later step would run in a folder that is not the job's.
  @Test func workspaceThatAJobReplacesIsAnError() async throws {
    try await Scene.play(leaving: [.workspaces]) { scene in
      let victim = try scene.folder("victim", ["steps": ["true"]])
      let moved = scene.files.appending("moved")
      try scene.job(
        "job",
        steps: [.string("mv \"$JOB_WORKSPACE\" '\(moved)'; ln -s '\(victim)' \"$JOB_WORKSPACE\""), "echo x > made"])
      let result = try await scene.outcome()
      #expect(result["status"] == "error" && result["phase"] == "sync")
      #expect(result["error"].text.contains("/job was moved or replaced while the job ran"))
      #expect(FileManager.default.fileExists(atPath: victim.appending("job.json").string))
    }
  }

  /// Nothing would be at the place that the result message names.
  @Test func jobFolderThatIsRenamedIsAnError() async throws {
    try await Scene.play { scene in
      let folder = try scene.job("job", steps: [.string("mv '\(scene.jobs)/job' '\(scene.jobs)/moved'; echo x > made")])
      let results = try await scene.results()
      try await scene.worker().listens()
      try await scene.send("job")
      let result = try await results.message().json
      #expect(result["status"] == "error" && result["manifestFile"] == .null)
      #expect(
        result["error"] == .string("\(folder) was removed while the job ran, or moved; its results have no place"))
      #expect(scene.text("moved", "results/result.json") == nil)
    }
  }

  @Test func workspaceThatAJobRemovesCostsNoLog() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo before; rm -rf \"$JOB_WORKSPACE\"; echo after"], ["input.txt": ""])
      let results = try await scene.results()
      let result = try await scene.outcome()
      #expect(scene.log("job") == "before\nafter\n")
      #expect(result["steps"][0]["status"] == "success")
      #expect(result["status"] == "error")
      #expect(result["phase"] == "sync")
      #expect(
        result["error"]
          == .string("\(scene.workspaces)/job was removed while the job ran; what it made there is lost"))
      #expect(try await results.message().json["id"] == "job")
      #expect(scene.text("job", "input.txt") == "")
    }
  }

  @Test func stepWithoutAWorkspaceIsAnErrorThatSaysSo() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["rm -rf \"$JOB_WORKSPACE\"", "echo never"])
      let result = try await scene.outcome()
      #expect(result["status"] == "error")
      #expect(result["phase"] == "run")
      #expect(result["error"].text.contains("step 1 cannot be started"))
      #expect(result["error"].text.contains("\(scene.workspaces)/job"))
      #expect(result["steps"].elements.map { $0["status"] } == ["success", "error"])
    }
  }

  /// The log keeps its first and last halves, and the worker's memory does not grow.
  @Test func floodOfOutputKeepsToItsCapAndTheWorkerStaysSmall() async throws {
    try await Scene.play { scene in
      let (first, last) = (scene.gate("first"), scene.gate("last"))
      let flood = "echo begin; head -c 300000000 /dev/zero | tr '\\0' x; echo; echo end"
      try scene.job(
        "job",
        steps: [.string(scene.waiting(for: first)), .string(flood), .string(scene.waiting(for: last))])
      let events = try await scene.events()
      let worker = try scene.worker("worker-01", on: "jobs/pending", ["--max-log-bytes", "100000"])
      try await worker.listens()
      try await scene.send("job")
      try await events.message { $0.json["event"] == "started" }
      let before = try peakMemory(of: worker.pid)
      try scene.open(first)
      try await events.message { $0.json["step"] == 1 }
      let growth = try peakMemory(of: worker.pid) - before
      print("300 MB of output make the worker grow by \(growth) KiB")
      #expect(growth < 16 << 10)
      try scene.open(last)
      #expect(try await worker.end() == .code(0))
      let step = scene.result("job")["steps"][1]
      let log = scene.log("job", step: 1)
      #expect((90_000...100_200).contains(log.utf8.count))
      #expect(step["logBytes"].number == Double(log.utf8.count))
      #expect(step["logDropped"] == 299_900_011)
      #expect(step["status"] == "success")
      #expect(log.hasPrefix("begin\nxxx") && log.hasSuffix("xxx\nend\n"))
      #expect(log.contains("[299900011 bytes of output were dropped here: the log's limit is 100000 bytes]"))
    }
  }

  /// The peak memory of the process in KiB (VmHWM of proc_pid_status(5)).
  private func peakMemory(of process: pid_t) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
    return try #require(Int(line.filter(\.isNumber)))
  }
}
