import Foundation
import Glibc
import MQTT
import SystemPackage
import TestSupport
import Testing

/// `prune`, which removes finished jobs from the volume.
@Suite struct PruneTests {
  @Test func oldJobsGoAndItSaysWhatItFreed() async throws {
    try await Scene.play(.down) { scene in
      try scene.finished("old", days: 9)
      try scene.finished("failed", "failed", days: 8, ["source": "12345"])
      try scene.finished("young", days: 6)
      try scene.job("new", steps: ["true"])
      let bytes = ["old", "failed"].map { scene.text($0, "results/result.json")?.utf8.count ?? 0 }
      let run = try await scene.prune(["--yes"])
      #expect(run.end == .code(0) && run.errors == "")
      #expect(
        run.output.split(separator: "\n") == [
          "old  success  9d  \(bytes[0]) B", "failed  failed  8d  \(bytes[1] + 5) B",
          "removed 2 jobs: 3 files, \(bytes[0] + bytes[1] + 5) B",
        ])
      let folders = Set(scene.volume.filter { $0.hasSuffix("/") })
      #expect(folders == ["new/", "young/", "young/results/"])
      #expect(scene.claims.isEmpty)
    }
  }

  @Test func dryRunShowsTheSameAndChangesNothing() async throws {
    try await Scene.play(.down) { scene in
      for id in ["a", "b", "c"] { try scene.finished(id, days: 9) }
      try scene.write("x", scene.jobs.appending(".pruned~job~1~elsewhere~x").appending("file"))
      try scene.write("x", scene.jobs.pushing(FilePath(".worker/audit/w.jsonl.1")))
      age(scene.jobs.pushing(FilePath(".worker/audit/w.jsonl.1")), .seconds(9 * 86400))
      let before = scene.listing(scene.jobs)
      let shown = try await scene.prune(["--dry-run", "--keep-last", "1", "--status", "success,failed"])
      #expect(scene.listing(scene.jobs) == before)
      let done = try await scene.prune(["-y", "--keep-last", "1", "--status", "success,failed"])
      #expect(shown.end == .code(0) && done.end == .code(0))
      #expect(shown.output.replacing("would remove", with: "removed") == done.output)
      #expect(done.output.contains("job  leftover  -  1 B\naudit/w.jsonl.1  removed  9d  1 B\n"))
      #expect(scene.volume.count { $0.hasSuffix("/results/") } == 1)
    }
  }

  @Test func withoutATerminalItNeedsYes() async throws {
    try await Scene.play(.down) { scene in
      try scene.finished("job", days: 9)
      let run = try await scene.prune([])
      #expect(run.end == .code(64) && run.output == "" && run.errors.contains("--yes"))
      let wrong = try await scene.prune(["-y", "--status", "success,fine"])
      #expect(wrong.end == .code(64) && wrong.errors.contains("'fine'") && wrong.errors.contains("timeout,canceled"))
      #expect(try await scene.prune(["-y", "--keep-last=-1"]).end == .code(64))
      #expect(scene.result("job")["status"] == "success")
    }
  }

  @Test(.enabled(if: Checkout.hasProgram("python3"), "needs python3"), arguments: [("n", 1), ("y", 0)])
  func onATerminalItAsksFirst(_ answer: String, _ code: Int32) async throws {
    try await Scene.play(.down) { scene in
      try scene.finished("job", days: 9)
      let person = "see remove 1 job from \(scene.jobs)? [y/N]\ntype \(answer)\\n"
      let terminal = try scene.start(
        installed("python3"),
        [
          Checkout.root.pushing(FilePath("Tests/terminal.py")).string, person,
          try WorkerProcess.executable.string, "prune", "-j", scene.jobs.string,
        ], name: "terminal")
      #expect(try await terminal.end() == .code(code))
      #expect((scene.result("job") == .null) == (code == 0))
    }
  }

  @Test func whatCannotBeRemovedIsToldAndDelaysNothingElse() async throws {
    try await Scene.play(.down) { scene in
      // Its name is taken: nobody knows which of the two is right.
      try scene.write("x", scene.jobs.appending(".prune~a~1~elsewhere~x").appending("file"))
      try scene.job("a", steps: ["true"])
      try scene.finished("b", days: 9)
      let run = try await scene.prune(["-y"])
      #expect(run.end == .code(74))
      #expect(run.output.hasPrefix("b  success") && run.errors.contains(".prune~a~1~elsewhere~x"))
      #expect(scene.volume.contains(".prune~a~1~elsewhere~x/file"))
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can mount")) func fullVolumeIsFreed() async throws {
    try await Scene.play(.down) { scene in
      try await withTmpfs(of: "1m", at: scene.jobs) {
        try scene.finished("job", days: 9)
        let rest = scene.jobs.appending("job").appending("rest")
        #expect(throws: (any Error).self) {
          try String(repeating: "x", count: 2 << 20).write(toFile: rest.string, atomically: false, encoding: .utf8)
        }
        let run = try await scene.prune(["-y"])
        #expect(run.end == .code(0), "\(run.errors)")
        #expect(scene.listing(scene.jobs).isDisjoint(with: ["job/"]))
        #expect(scene.claims.isEmpty)
      }
    }
  }

  /// What is mounted stays, so the job's own files stay with it.
  @Test(.enabled(if: geteuid() == 0, "only root can mount")) func jobWithAMountBelowStaysWhole() async throws {
    try await Scene.play(.down) { scene in
      try scene.finished("job", days: 9)
      try scene.finished("other", days: 9)
      let data = scene.jobs.pushing("job/data/mounted")
      try FileManager.default.createDirectory(atPath: data.string, withIntermediateDirectories: true)
      let before = scene.listing(scene.jobs.appending("job"))
      try await withTmpfs(of: "1m", at: data) {
        try scene.write("kept", data.appending("file"))
        let run = try await scene.prune(["-y"])
        #expect(run.end == .code(74), "\(run.errors)")
        #expect(
          run.errors.contains("/job: Device or resource busy; something is mounted there or below"), "\(run.errors)")
        #expect(scene.listing(scene.jobs.appending("job")) == before)
        #expect(scene.text("job", "data/mounted/file") == "kept")
        #expect(scene.result("other") == .null)
        #expect(scene.claims.isEmpty)
      }
    }
  }

  // MARK: The broker

  @Test func retainedResultsOfRemovedJobsAreCleared() async throws {
    try await Scene.play { scene in
      for id in ["old", "young"] {
        try scene.finished(id, days: id == "old" ? 9 : 1)
        try await scene.broker.publish("results/\(id)", "{}", .retained)
      }
      let run = try await scene.prune(
        ["-y", "--clear-retained", "-r", "results"], environment: ["MQTT_URL": scene.broker.url])
      #expect(run.end == .code(0), "\(run.errors)")
      let late = try await scene.broker.collect("results/#")
      try await late.message(on: "results/young")
      #expect(late.messages.map(\.topic) == ["results/young"])
      #expect(scene.result("old") == .null && scene.result("young") != .null)
    }
  }

  @Test func withoutTheBrokerNothingIsRemoved() async throws {
    try await Scene.play(.down) { scene in
      try scene.finished("job", days: 9)
      let run = try await scene.prune(
        ["-y", "--clear-retained", "--connect-timeout", "1s"], environment: ["MQTT_URL": scene.broker.url])
      #expect(run.end == .code(69) && scene.result("job") != .null)
    }
  }
}

extension Scene {
  /// Puts a finished job on the volume whose result is that old.
  fileprivate func finished(
    _ id: String, _ status: String = "success", days: Int, _ files: [String: String] = [:]
  ) throws {
    for (path, text) in files { try write(text, jobs.appending(id).pushing(FilePath(path))) }
    let time = "2026-01-01T00:00:00.000Z"
    let result: JSON = [
      "schema": 1, "jobId": .string(id), "status": .string(status), "exitCode": 0, "steps": [], "attempt": 1,
      "timing": ["start": .string(time), "end": .string(time), "durationMs": 5], "workerId": "w",
      "workerVersion": "1", "host": "h", "artifacts": [], "deleted": [], "skipped": [],
    ]
    let path = jobs.appending(id).pushing(FilePath("results/result.json"))
    try write(result.text, path)
    age(path, .seconds(days * 86400 + 60))
  }

  fileprivate func prune(
    _ arguments: [String], environment: [String: String] = [:]
  ) async throws -> (end: ProcessEnd, output: String, errors: String) {
    try await run(["prune", "-j", jobs.string] + arguments, environment: environment)
  }

  /// Starts a removal that stops itself at the checkpoint, if one is given.
  fileprivate func pruning(stopAt checkpoint: String? = nil) throws -> ChildProcess {
    let environment = checkpoint.map { ["MQTT_FS_WORKER_STOP_AT": $0] } ?? [:]
    return try client(["prune", "-j", jobs.string, "-y", "--older-than", "0"], environment: environment)
  }
}

/// `prune` beside workers and beside itself.
@Suite struct PruneRaceTests {
  @Test func jobThatAWorkerRunsAgainStays() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo begun", scene.held, "cat source"], ["source": "kept\n"])
      try scene.finished("job", days: 9)
      try scene.finished("other", days: 9)
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      let run = try await scene.prune(["-y", "--older-than", "0"])
      #expect(run.end == .code(0) && run.output.hasPrefix("other  success"))
      try scene.release()
      #expect(try await worker.end() == .code(0))
      #expect(scene.log("job", step: 2) == "kept\n" && scene.result("job")["status"] == "success")
      #expect(scene.text("job", "results.previous/result.json") != nil)
    }
  }

  @Test func requestDuringTheRemovalFindsNoJobAndIsNoDuplicate() async throws {
    try await Scene.play { scene in
      try scene.finished("job", days: 9, ["job.json": #"{"steps": ["true"]}"#])
      let (results, events) = (try await scene.results(), try await scene.events())
      let prune = try scene.pruning(stopAt: "removalBegun")
      try await prune.stopped()
      let worker = try scene.worker(["--lease", "60s"])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the request") { scene.broker.logged("Sending PUBLISH to worker-01") > 0 }
      prune.send(SIGCONT)
      #expect(try await prune.end() == .code(0) && prune.output.contains("removed 1 job:"))
      let answer = try await results.message(on: "jobs/results/job")
      #expect(answer.json["status"] == "rejected" && answer.json["error"].string?.contains("job-not-found") == true)
      #expect(!events.messages.contains { $0.json["event"] == "duplicate" })
      worker.send(SIGTERM)
      try await worker.end()
    }
  }

  @Test func workerThatReadTheFolderBeforeItWentReadsTheNewOne() async throws {
    try await Scene.play { scene in
      let folder = try scene.job("job", steps: ["cat file"], ["file": "old\n"])
      let worker = try scene.worker(stopAt: "claimed")
      try await worker.listens()
      try await scene.send("job")
      try await worker.reachesCheckpoint()
      // The removal had begun before the claim.
      try FileManager.default.moveItem(atPath: folder.string, toPath: scene.files.appending("away").string)
      try scene.job("job", steps: ["cat file"], ["file": "new\n"])
      worker.thaw()
      // It claims the job again.
      try await worker.reachesCheckpoint()
      worker.thaw()
      #expect(try await worker.end() == .code(0))
      #expect(scene.log("job") == "new\n")
      #expect(scene.listing(scene.files.appending("away")) == ["file", "job.json"])
    }
  }

  @Test func jobOfAKilledRemovalIsRunAfterALease() async throws {
    try await Scene.play { scene in
      try scene.finished("job", days: 9, ["job.json": #"{"steps": ["echo run"]}"#])
      let prune = try scene.pruning(stopAt: "removalBegun")
      try await prune.stopped()
      prune.send(SIGKILL)
      try await prune.end()
      #expect(scene.claims == ["job.1.json"])
      let worker = try scene.worker(["--lease", "1s"])
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.log("job") == "run\n")
    }
  }

  @Test(arguments: ["removalBegun", "folderHidden", "folderDoomed"])
  func nextRemovalEndsWhatAKilledOneBegan(_ checkpoint: String) async throws {
    try await Scene.play(.down) { scene in
      for id in ["a", "b"] { try scene.finished(id, days: 9, ["source/file": "x"]) }
      let killed = try scene.pruning(stopAt: checkpoint)
      try await killed.stopped()
      killed.send(SIGKILL)
      try await killed.end()
      #expect(scene.claims.count == 1)
      let next = try await scene.prune(["-y"])
      #expect(next.end == .code(0), "\(next.errors)")
      #expect(scene.volume.isEmpty)
      #expect(scene.claims.isEmpty)
    }
  }

  @Test func twoRemovalsAtOnceShareTheJobs() async throws {
    try await Scene.play(.down) { scene in
      let ids = (0..<40).map { "job-\($0)" }
      for id in ids { try scene.finished(id, days: 9, ["a/b/c": "x", "d": "y"]) }
      let both = [try scene.pruning(), try scene.pruning()]
      for prune in both { #expect(try await prune.end() == .code(0), "\(prune.errors)") }
      let removed = both.flatMap { $0.output.split(separator: "\n").dropLast() }.compactMap {
        $0.split(separator: " ").first.map(String.init)
      }
      #expect(removed.sorted() == ids.sorted())
      #expect(scene.volume.isEmpty && scene.claims.isEmpty)
    }
  }

  @Test func linkedFolderStays() async throws {
    try await Scene.play(.down) { scene in
      try scene.finished("real", days: 9)
      symlink("real", scene.jobs.appending("link").string)
      try FileManager.default.createDirectory(
        atPath: scene.files.appending("outside").string, withIntermediateDirectories: true)
      symlink(scene.files.appending("outside").string, scene.jobs.appending("out").string)
      let run = try await scene.prune(["-y", "--older-than", "0"])
      #expect(run.end == .code(0) && run.output == "removed 0 jobs: 0 files, 0 B\n")
      #expect(scene.result("real") != .null && scene.result("link") != .null)
    }
  }
}
