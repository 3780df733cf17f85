import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

/// A volume or a local disk that is full.
@Suite(.enabled(if: geteuid() == 0, "only root can mount a small file system"))
struct FullDiskTests {
  @Test func stepGoesOnWhenItsLogFillsTheVolume() async throws {
    try await Scene.play { scene in
      try await withTmpfs(of: "3m", at: scene.jobs) {
        try scene.job(
          "job", steps: ["head -c 8000000 /dev/zero | tr '\\0' x; echo done > $DONE", "echo second; exit 3"])
        let results = try await scene.results()
        let done = scene.files.appending("done")
        let result = try await scene.outcome(environment: ["DONE": done.string])
        #expect(FileManager.default.fileExists(atPath: done.string))
        #expect(result["status"] == "failed")
        #expect(result["exitCode"] == 3)
        let step = result["steps"][0]
        #expect(step["status"] == "success")
        let dropped = try #require(step["logDropped"].number)
        let kept = try #require(step["logBytes"].number)
        #expect(dropped + kept == 8_000_000 && dropped > 4_000_000)
        #expect(step["logError"].text.contains("\(Int(dropped)) bytes of output could not be written: No space left"))
        #expect(scene.log("job").utf8.count == Int(kept))
        #expect(scene.results() == ["step_0.log", "step_1.log", "result.json"])
        #expect(try await results.message().json["status"] == "failed")
        #expect(scene.audit().map(\.event) == ["claimed", "started", "step", "step", "completed", "published"])
        #expect(scene.claims.isEmpty)
      }
    }
  }

  /// The job is a success, so nobody would look into result.json.
  @Test func logThatIsNotWholeIsToldByEveryCommand() async throws {
    try await Scene.play { scene in
      try await withTmpfs(of: "3m", at: scene.jobs) {
        _ = try scene.worker()
        let submit = try scene.submit(
          try scene.folder("job", ["steps": ["head -c 8000000 /dev/zero | tr '\\0' x"]]))
        #expect(try await submit.end() == .code(0))
        let volume = ["job", "-j", scene.jobs.string]
        let logs = try scene.client(["logs"] + volume)
        try await logs.end()
        let status = try await scene.run(["status"] + volume)
        let warning = "bytes of output could not be written: No space left on device"
        for text in [submit.errors, logs.errors, status.output] {
          #expect(text.contains("step_0.log: ") && text.contains(warning), "\(text)")
        }
      }
    }
  }

  @Test func artifactThatDoesNotFitIsAnErrorAndWhatFitsIsListed() async throws {
    try await Scene.play { scene in
      try await withTmpfs(of: "3m", at: scene.jobs) {
        try scene.job("job", steps: ["echo a > a.txt; echo z > z.txt; head -c 8000000 /dev/zero > big.bin"])
        let results = try await scene.results()
        let result = try await scene.outcome()
        #expect(result["status"] == "error")
        #expect(result["phase"] == "sync")
        #expect(result["error"].text.contains("big.bin"))
        #expect(result["error"].text.contains("No space left"))
        #expect(result["steps"][0]["status"] == "success")
        expectOnlyWholeArtifacts(scene, result)
        #expect(!scene.results().contains("big.bin"))
        #expect(try await results.message().json["status"] == "error")
        #expect(scene.claims.isEmpty)
      }
    }
  }

  @Test func localDiskThatIsFullWhileStagingIsAnError() async throws {
    try await Scene.play { scene in
      try await withTmpfs(of: "1m", at: scene.workspaces) {
        try scene.job(
          "job", steps: ["echo never"], ["big.bin": String(repeating: "x", count: 4_000_000), "small": "x"])
        let results = try await scene.results()
        let result = try await scene.outcome()
        #expect(result["status"] == "error")
        #expect(result["phase"] == "stage")
        #expect(result["error"].text.contains("big.bin"))
        #expect(result["error"].text.contains("No space left"))
        #expect(scene.results() == ["result.json"])
        #expect(scene.workspacesLeft.isEmpty)
        #expect(try await results.message().json["status"] == "error")
      }
    }
  }

  @Test func nextJobRunsOnTheDiskThatWasFull() async throws {
    try await Scene.play { scene in
      try await withTmpfs(of: "1m", at: scene.workspaces) {
        try scene.job("large", steps: ["echo never"], ["big.bin": String(repeating: "x", count: 4_000_000)])
        try scene.job("small", steps: ["true"])
        #expect(try await scene.outcome(of: "large")["status"] == "error")
        #expect(try await scene.outcome(of: "small")["status"] == "success")
      }
    }
  }
}

/// A volume on which no file can be made any more, from some point of a job on.
@Suite(.enabled(if: geteuid() == 0, "only root can mount a small file system"))
struct FullVolumeTests {
  /// Whatever the worker has no room for, the job has its result.json, at once or when there is room again. It has only one
  /// attempt, and a start without room is none.
  @Test(arguments: 0...7, ["success", "canceled"])
  func jobHasItsResult(afterFiles left: Int, _ status: String) async throws {
    try await Scene.play(leaving: [.deferred]) { scene in
      try await withTmpfs(of: "4m,nr_inodes=80", at: scene.jobs) {
        try scene.job("job", ["steps": ["echo output"], "maxAttempts": 1])
        if status == "canceled" {
          _ = try CancelMark.put(JobID("job"), of: nil, by: "somebody", in: JobsDirectory(scene.jobs))
        }
        let results = try await scene.results()
        let worker = try scene.worker([])
        try await worker.listens()
        var ballast: [FilePath] = []
        while true {
          let path = scene.jobs.appending("ballast-\(ballast.count)")
          guard mkdir(path.string, 0o755) == 0 else { break }
          ballast.append(path)
        }
        for path in ballast.suffix(left) { rmdir(path.string) }
        try await scene.send("job")
        let end = try await worker.end()
        for path in ballast.dropLast(left) { rmdir(path.string) }
        if end == .code(74) {
          #expect(try await scene.worker([]).end() == .code(0))
          #expect(scene.result("job")["status"].string == status)
        } else {
          #expect(end == .code(0) || end == .code(1), "\(end)")
        }
        let message = try await results.message().json
        #expect(message["status"] == scene.result("job")["status"], "\(message)")
        #expect(message["manifestFile"] == "results/result.json", "\(message)")
        #expect(scene.claims.isEmpty)
      }
    }
  }
}

/// Artifacts that cannot be exported, although the volume has room.
@Suite struct UnsyncedArtifactTests {
  /// The step has put a folder in the place of the file.
  @Test func artifactThatCannotBeSyncedIsAnErrorThatNamesIt() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["mkdir -p \"$JOB_RESULTS_DIR/bad/sub\"; echo x > bad; echo y > good; echo z > last"])
      let result = try await scene.outcome()
      #expect(result["status"] == "error")
      #expect(result["phase"] == "sync")
      #expect(result["error"].text.contains("bad"))
      #expect(Set(result["artifacts"].elements.map { $0["path"].string }) == ["good", "last"])
      expectOnlyWholeArtifacts(scene, result)
      #expect(scene.results() == ["bad/", "bad/sub/", "good", "last", "step_0.log", "result.json"])
    }
  }
}

/// Each listed artifact is complete, and no file has a temporary name.
private func expectOnlyWholeArtifacts(_ scene: Scene, _ result: JSON) {
  for artifact in result["artifacts"].elements {
    let text = scene.text("job", "results/\(artifact["path"].string ?? "")")
    #expect(text?.utf8.count == artifact["size"].number.map { Int($0) }, "\(artifact)")
  }
  #expect(!scene.results().contains { $0.hasPrefix(".") || $0.contains("/.") })
}
