import Glibc
import SystemPackage
import TestSupport
import Testing

/// Hosts and volumes on which the worker has fewer rights than usual.
@Suite struct LesserRightsTests {
  /// Containers may drop the capability, and file servers squash root.
  @Test(.enabled(if: geteuid() == 0, "only root can be kept from giving files away"))
  func rootThatMayNotGiveFilesAwayBringsThemBackAllTheSame() async throws {
    try await Scene.play { scene in
      let folder = try scene.job(
        "job", steps: ["mkdir out && echo x > out/made && chmod 640 out/made && ln -s made out/link"])
      chown(folder.string, 12345, 12345)
      let result = try await outcome(scene, under: "setpriv", ["--bounding-set", "-chown"])
      #expect(result["status"] == "success", "\(result["error"])")
      #expect(result["artifacts"].elements.map { $0["path"] } == ["out/link", "out/made"])
      var status = stat()
      #expect(stat(folder.appending("results/out/made").string, &status) == 0)
      #expect(status.st_mode & 0o7777 == 0o640)
    }
  }

  /// CIFS, vboxsf and some FUSE file systems.
  @Test(.enabled(if: (try? installed("strace")) != nil, "strace is not installed"))
  func volumeWithoutFsyncBringsArtifactsBack() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["mkdir out && echo x > out/made"])
      let result = try await outcome(
        scene, under: "strace",
        [
          "-f", "-qq", "-o", scene.files.appending("trace").string, "-e", "trace=fsync", "-e",
          "inject=fsync:error=EINVAL",
        ])
      #expect(result["status"] == "success", "\(result["error"])")
      #expect(result["artifacts"].elements.map { $0["path"] } == ["out/made"])
    }
  }

  private func outcome(_ scene: Scene, under program: String, _ arguments: [String]) async throws -> JSON {
    let process = try scene.start(
      installed(program),
      arguments + [
        WorkerProcess.executable.string, "-u", scene.broker.url, "-j", scene.jobs.string, "-w", scene.workspaces.string,
      ], name: program)
    try await scene.broker.logged("Sending SUBACK to worker-01\n", within: .seconds(60))
    try await scene.send("job")
    #expect(try await process.end(within: .seconds(60)) == .code(0))
    return scene.result("job")
  }
}
