import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// A worker at its limit of processes and threads (RLIMIT_NPROC, pids.max).
@Suite(.enabled(if: geteuid() == 0, "only root can become somebody else, whom the limit counts alone"))
struct ProcessLimitTests {
  /// The signal must be handled without a new thread: the step has used up all of them.
  @Test func termEndsAStepThatHasUsedUpAllProcesses() async throws {
    try await Scene.play(.down) { scene in
      let bomb = """
        import os, time
        full = False
        while True:
          try:
            if os.fork() == 0: time.sleep(1000); os._exit(0)
          except OSError:
            if not full: print("full", flush=True)
            full = True
            time.sleep(0.001)
        """
      try scene.job("job", steps: [["run": .string(bomb), "shell": ["python3", "-c"]]])
      let payload = scene.files.appending("payload.json")
      try scene.write(#"{"id":"job"}"#, payload)
      let process = try scene.crowded(["--dry-run", "--payload", payload.string])
      try await eventually("the last process") { scene.log("job").contains("full") }
      process.send(SIGTERM)
      #expect(try await process.end() == .code(143))
      #expect(scene.result("job")["status"] == "canceled")
      #expect(scene.result("job")["reason"] == "shutdown")
    }
  }
}

extension Scene {
  /// A worker with a limit of 60 processes and threads, including those of its steps.
  fileprivate func crowded(_ arguments: [String]) throws -> ChildProcess {
    let executable = files.appending("mqtt-fs-worker")
    try FileManager.default.copyItem(atPath: try WorkerProcess.executable.string, toPath: executable.string)
    // The limit counts all processes of a user, and this user has no others.
    let user = UInt32.random(in: 1_000_000..<2_000_000)
    for folder in [jobs, workspaces] {
      chown(folder.string, user, user)
      for path in listing(folder) { chown(folder.pushing(FilePath(path)).string, user, user) }
    }
    return try start(
      installed("setpriv"),
      [
        "--reuid", "\(user)", "--regid", "\(user)", "--clear-groups", "prlimit", "--nproc=60", executable.string, "-j",
        jobs.string, "-w", workspaces.string,
      ] + arguments, name: "crowded")
  }
}
