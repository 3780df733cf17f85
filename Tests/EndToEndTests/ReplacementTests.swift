import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// `submit --replace` that is killed, or fails, at each of its calls that change a name: the job has one of its two folders,
/// and its results.
@Suite(.enabled(if: (try? installed("strace")) != nil, "strace is not installed"))
struct ReplacementTests {
  /// With `renameat2`, and on a file system without it (NFS).
  @Test(
    arguments: ["exchange", "renames"],
    [
      "renameat2:signal=KILL", "renameat:signal=KILL", "unlinkat:signal=KILL", "mkdirat:signal=KILL", "fsync:error=EIO",
      "renameat:error=EIO",
    ])
  func disturbedReplacementLosesNothing(_ way: String, _ fault: String) async throws {
    guard way == "exchange" || !fault.hasPrefix("renameat2") else { return }
    try await Scene.play { scene in
      let folder = try scene.folder("job", ["steps": ["true"]], ["text": "new"])
      var calls = 0
      repeat {
        try? scene.remove(scene.jobs)
        try scene.job("job", ["steps": ["true"]], ["text": "old", "results/result.json": "{}", "results/made": "made"])
        calls += 1
      } while try await isKilled(scene, folder, way, "\(fault):when=\(calls)")
      #expect(calls > 1, "no call was met")
    }
  }

  /// Whether the replacement was killed or failed.
  private func isKilled(_ scene: Scene, _ folder: FilePath, _ way: String, _ fault: String) async throws -> Bool {
    let injections = [fault] + (way == "exchange" ? [] : ["renameat2:error=EINVAL"])
    let replacing = try scene.start(
      installed("strace"),
      ["-D", "-f", "-qq", "-o", "/dev/null"] + injections.flatMap { ["-e", "inject=\($0)"] } + [
        WorkerProcess.executable.string, "submit", folder.string, "--replace", "-j", scene.jobs.string,
      ], environment: ["MQTT_URL": scene.broker.url], name: "submit")
    try await eventually("the end of the replacement") {
      replacing.end != nil || replacing.errors.contains("no worker listens")
    }
    let isKilled = replacing.end != nil
    replacing.send(SIGKILL)
    try await replacing.end()
    let next = try await scene.run(["prune", "-y", "-j", scene.jobs.string])
    #expect(next.end == .code(0), "\(fault): \(next.errors)")
    // A copy that was not complete is of no job, and goes with the next upload.
    let files = scene.volume.filter { !$0.hasPrefix(".submit-") }
    #expect(
      files == ["job/", "job/job.json", "job/text", "job/results/", "job/results/result.json", "job/results/made"])
    let text = scene.text("job", "text")
    #expect(isKilled ? ["old", "new"].contains(text) : text == "new", "\(fault): \(text ?? "none")")
    #expect(scene.text("job", "results/made") == "made")
    // A hidden file is swept away by workers.
    #expect(scene.claims.filter { !$0.hasPrefix(".") }.isEmpty, "\(fault)")
    return isKilled
  }

  /// Puts a job with results on the volume, and begins to replace it; stops between the exchange and the results.
  private func stopped(_ scene: Scene, steps: [JSON]) async throws -> ChildProcess {
    try scene.job(
      "job", ["steps": ["true"]], ["results/result.json": "{}", "results/made": "made", "results.previous/x": "x"])
    let folder = try scene.folder("job", ["steps": .array(steps)])
    let replacing = try scene.client(
      ["submit", folder.string, "--replace", "-j", scene.jobs.string],
      environment: ["MQTT_FS_WORKER_STOP_AT": "folderReplaced"])
    try await replacing.stopped()
    return replacing
  }

  /// The last results are the ones that stay.
  @Test func resultsOfARunAfterAKilledReplacementAreTheNewest() async throws {
    try await Scene.play { scene in
      let killed = try await stopped(scene, steps: ["echo run"])
      killed.send(SIGKILL)
      try await killed.end()
      let worker = try scene.worker(["--lease", "1s"])
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(try await scene.run(["prune", "-y", "-j", scene.jobs.string]).end == .code(0))
      #expect(scene.log("job") == "run\n" && scene.text("job", "results.previous/made") == "made")
      #expect(!scene.volume.contains { $0.hasPrefix(".") }, "\(scene.volume)")
    }
  }

  /// It stood still for longer than a lease, and a worker runs what is there.
  @Test func replacementThatLostItsRightLeavesTheWorkersFolderAlone() async throws {
    try await Scene.play { scene in
      let replacing = try await stopped(scene, steps: ["echo begun", scene.held])
      let worker = try scene.worker(["--lease", "1s"])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      replacing.send(SIGCONT)
      #expect(try await replacing.end() == .code(75))
      try scene.release()
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(try await scene.run(["prune", "-y", "-j", scene.jobs.string]).end == .code(0))
      #expect(scene.text("job", "results.previous/made") == "made")
    }
  }

  @Test func jobThatSomebodyRemovedAfterAKilledReplacementStaysRemoved() async throws {
    try await Scene.play { scene in
      let killed = try await stopped(scene, steps: ["true"])
      killed.send(SIGKILL)
      try await killed.end()
      try scene.remove(scene.jobs.appending("job"))
      #expect(try await scene.run(["prune", "-y", "-j", scene.jobs.string]).end == .code(0))
      #expect(scene.volume.isEmpty, "\(scene.volume)")
    }
  }

  /// Another user's results, which the sender may not move.
  @Test(.enabled(if: geteuid() == 0 && Checkout.hasProgram("setpriv"), "only root can become somebody else"))
  func replacementThatMayNotMoveTheResultsChangesNothing() async throws {
    try await Scene.play { scene in
      try scene.job("job", ["steps": ["true"]], ["text": "old", "results/result.json": "{}"])
      let folder = try scene.folder("job", ["steps": ["true"]], ["text": "new"])
      try await scene.shell(
        "mkdir -p '\(scene.jobs)/.worker/claims' && chmod -R a+rwX '\(scene.jobs)' && chmod -R go-w '\(scene.jobs)/job/results'"
      )
      for _ in 0..<2 {
        let replacing = try scene.start(
          installed("setpriv"),
          [
            "--reuid=65534", "--regid=65534", "--clear-groups", WorkerProcess.executable.string, "submit",
            folder.string,
            "--replace", "-j", scene.jobs.string, "-u", scene.broker.url,
          ], name: "submit")
        #expect(try await replacing.end() == .code(74), "\(replacing.errors)")
        #expect(scene.text("job", "text") == "old" && scene.text("job", "results/result.json") == "{}")
        #expect(!scene.volume.contains { $0.hasPrefix(".") }, "\(scene.volume)")
      }
    }
  }
}
