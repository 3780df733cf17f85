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
}
