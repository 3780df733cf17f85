import Foundation
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

  @Test func bytesOfTheEnvironmentReachStepsAsTheyAre() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["printf %s \"$LATIN\" > raw"])
      let result = try await outcome(scene, under: "sh", ["-c", "LATIN=$(printf 'caf\\351') exec \"$@\"", "sh"])
      #expect(result["status"] == "success", "\(result["error"])")
      let bytes = FileManager.default.contents(atPath: scene.jobs.appending("job/results/raw").string)
      #expect(bytes.map(Array.init) == [0x63, 0x61, 0x66, 0xE9])
    }
  }

  /// Two users of one group share a volume: a folder with the set-group-ID bit, and a umask of 002.
  @Test(
    .enabled(if: geteuid() == 0, "only root can become somebody else"), arguments: [[12001, 12002], [12002, 12001]])
  func usersOfOneGroupShareAVolume(_ users: [Int]) async throws {
    try await Scene.play { scene in
      chown(scene.jobs.string, 0, 12000)
      chmod(scene.jobs.string, 0o2775)
      let own = try scene.folder("own", ["steps": ["id -u > made"]])
      chmod(own.string, 0o755)
      let executable = scene.files.appending("mqtt-fs-worker")
      try FileManager.default.copyItem(atPath: WorkerProcess.executable.string, toPath: executable.string)
      for (number, user) in (users + users).enumerated() {
        let workspaces = scene.files.appending("workspaces-\(number)")
        let run = { (arguments: [String], name: String) in
          try scene.start(
            installed("setpriv"),
            [
              "--reuid=\(user)", "--regid=12000", "--clear-groups", "sh", "-c", "umask 002; exec \"$@\"", "sh",
              executable.string,
            ] + arguments, name: name)
        }
        try FileManager.default.createDirectory(atPath: workspaces.string, withIntermediateDirectories: false)
        chown(workspaces.string, uid_t(user), 12000)
        let worker = try run(
          ["-u", scene.broker.url, "-j", scene.jobs.string, "-w", workspaces.string, "-i", "w\(number)"], "worker")
        try await scene.broker.logged("Sending SUBACK to w\(number)\n")
        // The one sends, and the other runs.
        let sender = try scene.start(
          installed("setpriv"),
          [
            "--reuid=\(users[0] == user ? users[1] : users[0])", "--regid=12000", "--clear-groups", "sh", "-c",
            "umask 002; exec \"$@\"", "sh", executable.string, "submit", own.string, "--id", "job-\(number)", "-u",
            scene.broker.url, "-j", scene.jobs.string,
          ], name: "sender")
        #expect(try await sender.end() == .code(0), "\(sender.errors)")
        #expect(try await worker.end() == .code(0), "\(worker.errors)")
        #expect(scene.text("job-\(number)", "results/made") == "\(user)\n")
      }
    }
  }

  /// Its worker may be alive: nobody should move it.
  @Test(.enabled(if: geteuid() == 0, "needs setpriv(1) to drop the rights of root"))
  func claimThatMayNotBeReadIsToldAsOne() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("echo begun; \(scene.waitForGate)")])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      let claim = scene.jobs.pushing(".worker/claims/job.1.json").string
      chown(claim, 12001, 12001)
      chmod(claim, 0o600)
      let other = try scene.start(
        installed("setpriv"),
        [
          "--bounding-set", "-dac_override,-dac_read_search", WorkerProcess.executable.string, "-u", scene.broker.url,
          "-j", scene.jobs.string, "-w", scene.workspaces.string, "-i", "other", "-t", "other/pending",
        ], name: "other")
      try await scene.broker.logged("Sending SUBACK to other\n")
      try await scene.broker.publish("other/pending", #"{"id":"job"}"#)
      try await other.says(
        "job.1.json' is another worker's file of user 12001, mode 600, and cannot be read: Permission denied")
      other.send(SIGTERM)
      try await other.end()
      try scene.openGate()
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
    }
  }

  @Test(.enabled(if: geteuid() == 0, "needs setpriv(1) to drop the rights of root"), arguments: [true, false])
  func resultThatMayNotBeReadIsToldAndNotTakenForNone(_ isFolder: Bool) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo done"])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      chmod(scene.jobs.appending("job/results" + (isFolder ? "" : "/result.json")).string, 0)
      for command in [["status", "job"], ["logs", "job"], ["logs", "-f", "job"], ["jobs"]] {
        let reader = try scene.start(
          installed("setpriv"),
          ["--bounding-set", "-dac_override,-dac_read_search", WorkerProcess.executable.string]
            + command + ["-j", scene.jobs.string], name: "reader")
        #expect(try await reader.end() == .code(command == ["jobs"] ? 0 : 74), "\(command)")
        let told = command == ["jobs"] ? reader.output : reader.errors
        #expect(
          told.contains(command == ["jobs"] ? "finished" : "/result.json: Permission denied"), "\(command): \(told)")
      }
      chmod(scene.jobs.appending("job/results").string, 0o755)
    }
  }

  /// Something keeps the log's name: the cleanup runs, and each step is in the result.
  @Test(.enabled(if: geteuid() == 0, "only root can mount"))
  func stepWithoutALogFailsAndTheCleanupRuns() async throws {
    try await Scene.play { scene in
      defer { scene.unmountAll() }
      try scene.job(
        "job",
        [
          "steps": [
            "mkdir $JOB_RESULTS_DIR/step_1.log && mount -t tmpfs none $JOB_RESULTS_DIR/step_1.log", "echo never > made",
            ["run": "umount $JOB_RESULTS_DIR/step_1.log; echo cleaned", "always": true],
          ]
        ])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      let result = scene.result("job")
      #expect(result["status"] == "error" && result["error"].text.contains("step_1.log cannot be made"))
      #expect(result["steps"].elements.map { $0["status"] } == ["success", "error", "success"])
      #expect(scene.log("job", step: 2) == "cleaned\n")
      #expect(scene.text("job", "results/made") == nil)
    }
  }

  private func outcome(_ scene: Scene, under program: String, _ arguments: [String]) async throws -> JSON {
    let process = try scene.start(
      installed(program),
      arguments + [
        WorkerProcess.executable.string, "-u", scene.broker.url, "-j", scene.jobs.string, "-w", scene.workspaces.string,
      ], name: program)
    try await scene.broker.logged("Sending SUBACK to worker-01\n")
    try await scene.send("job")
    #expect(try await process.end() == .code(0))
    return scene.result("job")
  }
}
