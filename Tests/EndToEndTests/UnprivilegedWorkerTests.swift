import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// A worker that is not root and meets root's files.
@Suite(
  .enabled(
    if: geteuid() == 0 && Checkout.hasProgram("setpriv"),
    "only root can start a worker as another user, with setpriv(1)"))
struct UnprivilegedWorkerTests {
  /// The user nobody on most systems, which owns nothing here.
  private static let user: uid_t = 65534

  private func worker(_ scene: Scene) throws -> WorkerProcess {
    let before = scene.broker.logSize
    let process = try scene.start(
      installed("setpriv"),
      [
        "--reuid=\(Self.user)", "--regid=\(Self.user)", "--clear-groups", try WorkerProcess.executable.string, "-i",
        "worker-01", "-j", scene.jobs.string, "-w", scene.workspaces.string,
      ], environment: scene.environment.merging(scene.broker.workerEnvironment) { $1 }, name: "worker")
    return WorkerProcess(process, id: "worker-01", broker: scene.broker, startOfLog: before)
  }

  private func give(_ folder: FilePath, _ scene: Scene) async throws {
    try await scene.shell("chown -R \(Self.user):\(Self.user) '\(folder)'")
  }

  /// A container that a step starts with the workspace in it leaves files that belong to root.
  @Test(arguments: [0o755, 0o700] as [mode_t]) func folderOfRootInAWorkspaceDelaysNoLaterJob(_ mode: mode_t)
    async throws
  {
    try await Scene.play(leaving: .workspaces) { scene in
      try scene.job("job", steps: [.string("pwd; \(scene.waitForGate)")])
      try scene.job("other", steps: ["true"])
      for folder in [scene.jobs, scene.workspaces] { try await give(folder, scene) }
      let first = try worker(scene)
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "\(scene.workspaces)/job\n" }
      let left = scene.workspaces.appending("job/made")
      try scene.write("x", left.appending("deep/file"))
      chmod(left.string, mode)
      try scene.openGate()
      #expect(try await first.end() == .code(0))
      #expect(scene.result("job")["status"] == (mode == 0o755 ? "success" : "error"), "\(scene.result("job"))")
      #expect(scene.listing(scene.workspaces).contains("job/made/deep/file"))

      // The same job, which gets another workspace, and another job.
      for id in ["job", "other"] {
        let next = try worker(scene)
        try await next.listens()
        #expect(next.log.contains("the workspace \(scene.workspaces)/job is left behind"), "\(next.log)")
        try await scene.send(id)
        #expect(try await next.end() == .code(0))
        #expect(scene.result(id)["status"] == "success", "\(scene.result(id))")
      }
      #expect(scene.log("job") == "\(scene.workspaces)/job.2\n")
      #expect(scene.listing(scene.workspaces).filter { !$0.hasPrefix(".") && !$0.hasPrefix("job/") }.isEmpty)

      // After somebody gives the files to the worker's user, the next start removes them.
      try await give(scene.workspaces, scene)
      let last = try worker(scene)
      try await last.listens()
      #expect(scene.workspacesLeft.isEmpty)
      last.send(SIGTERM)
      #expect(try await last.end() == .code(0))
    }
  }

  /// What is excluded is nobody's business.
  @Test func requiredArtifactIsFoundBesideAFolderThatCannotBeRead() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        [
          "steps": ["mkdir -p private dist a; touch report.xml dist/app a/b.txt; chmod 000 private"],
          "artifacts": ["exclude": ["private/"], "required": ["*.xml", "dist/", "a/*.txt"]],
        ])
      for folder in [scene.jobs, scene.workspaces] { try await give(folder, scene) }
      let worker = try worker(scene)
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success", "\(scene.result("job"))")
      #expect(scene.text("job", "results/report.xml") == "")
    }
  }

  /// root cancels a job that no worker has; its mark cannot be read, or not be removed.
  @Test(arguments: ["unreadable", "unremovable"])
  func markOfACanceledJobStopsNoWorker(_ kind: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo run"])
      for folder in [scene.jobs, scene.workspaces] { try await give(folder, scene) }
      let first = try worker(scene)
      try await first.listens()
      first.send(SIGTERM)
      try await first.end()
      let marks = scene.jobs.pushing(".worker/canceled")
      if kind == "unremovable" { chown(marks.string, 0, 0) }
      try await scene.send("job")
      let cancel = try scene.start(
        installed("sh"),
        [
          "-c", "umask 077; exec \"$@\"", "sh", WorkerProcess.executable.string, "cancel", "job", "-u",
          scene.broker.url, "-j", scene.jobs.string,
        ], name: "cancel")
      #expect(try await cancel.end() == .code(0), "\(cancel.errors)")
      if kind == "unreadable" { chmod(marks.appending("job.json").string, 0o600) }
      let second = try worker(scene)
      #expect(try await second.end() == .code(0), "\(second.log)")
      #expect(scene.result("job")["status"].string == (kind == "unreadable" ? "success" : "canceled"))
      #expect(second.log.contains("canceled/job.json"), "\(second.log)")
    }
  }

  /// A worker that runs as root with a umask of 077 shares the volume.
  @Test func filesThatOnlyRootMayReadStopNoWorker() async throws {
    try await Scene.play(leaving: .claims) { scene in
      for id in ["job", "other"] { try scene.job(id, steps: ["echo run"]) }
      for folder in [scene.jobs, scene.workspaces] { try await give(folder, scene) }
      let first = try worker(scene)
      try await first.listens()
      let claim = scene.jobs.pushing(".worker/claims/other.1.json")
      try scene.write("{}", claim)
      chmod(claim.string, 0o600)
      // A later attempt of it, whose worker is dead.
      try scene.write(
        """
        {"id":"other","attempt":2,"worker":"dead","filter":"jobs/pending","process":{"host":"h","bootId":"b","pid":1,\
        "startTime":"1","pidNamespace":"n"},"envelope":{"payload":"{}","topic":"jobs/pending","requestId":"r"}}
        """, scene.jobs.pushing(".worker/claims/other.2.json"))
      age(scene.jobs.pushing(".worker/claims/other.2.json"), .seconds(3600))
      let rounds = scene.jobs.pushing(".worker/rounds")
      for name in scene.listing(rounds) {
        chown(rounds.appending(name).string, 0, 0)
        chmod(rounds.appending(name).string, 0o600)
      }
      #expect(!scene.listing(rounds).isEmpty)
      // The request for the job that the claim holds waits on the volume; the next one is run.
      try await scene.send("other")
      try await eventually("the deferred request") { scene.deferred.count == 1 }
      try await scene.send("job")
      #expect(try await first.end() == .code(0), "\(first.log)")
      #expect(scene.result("job")["status"] == "success")
      #expect(first.log.contains("claims/other.1.json"), "\(first.log)")
      // Nobody takes the job for free, either.
      let cancel = try scene.start(
        installed("setpriv"),
        [
          "--reuid=\(Self.user)", "--regid=\(Self.user)", "--clear-groups", WorkerProcess.executable.string, "cancel",
          "other", "-u", scene.broker.url, "-j", scene.jobs.string,
        ], name: "cancel")
      #expect(try await cancel.end() == .code(74), "\(cancel.errors)")
      #expect(scene.listing(scene.jobs.pushing(".worker/canceled")).isEmpty)
      for name in scene.claims { try scene.remove(scene.jobs.pushing(".worker/claims").appending(name)) }
      let second = try worker(scene)
      #expect(try await second.end() == .code(0), "\(second.log)")
      #expect(scene.result("other")["status"] == "success")
    }
  }
}
