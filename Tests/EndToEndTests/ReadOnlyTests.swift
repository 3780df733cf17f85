import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// A container without a home: a read-only root, an unknown user, and no environment.
@Suite(.enabled(if: geteuid() == 0, "only root can make a root read-only, and become somebody else"))
struct ReadOnlyTests {
  private static let user: UInt32 = 12345

  @Test func workerNeedsNoMoreThanItsTwoFolders() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: [
          "id -u; echo ${HOME:-none}; touch /tmp/x /x 2>/dev/null || echo read-only; cat input.txt > made.txt",
          .string("echo long #" + String(repeating: "x", count: 200_000)),
          [
            "run": .string("print('python') #" + String(repeating: "x", count: 200_000)), "shell": ["bash", "-c"],
            "continueOnError": true,
          ],
        ], ["input.txt": "x"])
      let process = try scene.strangerWithoutHome(Self.user)
      try await scene.broker.logged("Sending SUBACK to worker-01\n")
      try await scene.send("job")
      #expect(try await process.end() == .code(0))
      let result = scene.result("job")
      #expect(result["status"] == "success", "\(result["error"]) \(scene.log("job", step: 1))")
      #expect(scene.log("job") == "\(Self.user)\nnone\nread-only\n")
      #expect(scene.log("job", step: 1) == "long\n")
      #expect(scene.text("job", "results/made.txt") == "x")
    }
  }

  /// Root can read it anyway, so this needs another user.
  @Test func folderThatAJobHasLockedIsAnErrorThatNamesIt() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["mkdir locked; echo x > locked/a; echo y > made.txt; chmod 0 locked"])
      let process = try scene.strangerWithoutHome(Self.user)
      try await scene.broker.logged("Sending SUBACK to worker-01\n")
      try await scene.send("job")
      #expect(try await process.end() == .code(0))
      let result = scene.result("job")
      #expect(result["status"] == "error")
      #expect(result["phase"] == "sync")
      #expect(result["error"].text.contains("locked"))
      #expect(result["artifacts"].elements.map { $0["path"] } == ["made.txt"])
    }
  }

  @Test func resultsThatCannotBeWrittenAreAnErrorBeforeAnyStep() async throws {
    try await Scene.play { scene in
      let folder = try scene.job("job", steps: ["touch \"$RAN\""], ["results/step_0.log": ""])
      let results = try await scene.results()
      let process = try scene.strangerWithoutHome(Self.user)
      // The volume belongs to the unknown user; this job's folder does not.
      for path in [folder, folder.appending("results"), folder.appending("results/step_0.log")] {
        chown(path.string, 0, 0)
      }
      try await scene.broker.logged("Sending SUBACK to worker-01\n")
      try await scene.send("job")
      let message = try await results.message()
      #expect(message.json["status"] == "error")
      #expect(message.json["manifestFile"] == .null)
      #expect(message.json["error"].text.contains("\(folder)/results cannot be used for results: Permission denied"))
      #expect(try await process.end() == .code(0))
      #expect(scene.results() == ["step_0.log"])
    }
  }

  @Test func definitionThatCannotBeReadIsRejected() async throws {
    try await Scene.play { scene in
      let folder = try scene.job("job", steps: ["true"])
      let results = try await scene.results()
      let process = try scene.strangerWithoutHome(Self.user)
      chown(folder.appending("job.json").string, 0, 0)
      chmod(folder.appending("job.json").string, 0o600)
      try await scene.broker.logged("Sending SUBACK to worker-01\n")
      try await scene.send("job")
      let message = try await results.message()
      #expect(message.json["status"] == "rejected")
      #expect(
        message.json["error"]
          == .string("\(folder)/job.json cannot be read: permission denied; make it readable for the worker's user"))
      #expect(process.end == nil)
      for worker in scene.processes where worker.command.contains("mqtt-fs-worker") { kill(worker.pid, SIGTERM) }
      #expect(try await process.end() == .code(0))
    }
  }
}

extension Scene {
  /// A worker with a user id without a name. Its environment has only the scene's marker, and only the scene's two
  /// folders can be written.
  fileprivate func strangerWithoutHome(_ user: UInt32) throws -> ChildProcess {
    let executable = files.appending("mqtt-fs-worker")
    try FileManager.default.copyItem(atPath: try WorkerProcess.executable.string, toPath: executable.string)
    for folder in [jobs, workspaces] {
      chown(folder.string, user, user)
      for path in listing(folder) { chown(folder.pushing(FilePath(path)).string, user, user) }
    }
    let script = """
      set -e
      mount --make-rprivate /
      for folder in "$1" "$2"; do mount --bind "$folder" "$folder"; done
      for mount in $(cut -d' ' -f5 /proc/self/mountinfo); do
        case $mount in "$1"|"$2"|/proc*|/dev*|/sys*) ;; *) mount -o remount,bind,ro "$mount" || true;; esac
      done
      shift 2
      exec setpriv --reuid \(user) --regid \(user) --clear-groups env -i PATH=/usr/bin:/bin "$@"
      """
    var inherited = ["SCENE=\(root)"]
    if let libraries = environment["LD_LIBRARY_PATH"] { inherited.append("LD_LIBRARY_PATH=\(libraries)") }
    return try start(
      installed("unshare"),
      ["--mount", "sh", "-c", script, "sh", jobs.string, workspaces.string] + inherited
        + [executable.string, "-u", broker.url, "-j", jobs.string, "-w", workspaces.string],
      name: "stranger")
  }
}
