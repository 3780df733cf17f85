import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// A worker as PID 1, as in a container.
@Suite(.enabled(if: geteuid() == 0, "only root can make a PID namespace"))
struct FirstProcessTests {
  @Test func orphansAreReapedAndEnded() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: [
          // Processes that end while the step runs become the worker's orphans, and zombies if it does not reap them.
          "echo $PPID; for i in 1 2 3; do (setsid sleep 0.01 &); done; sleep 3; grep -l 'State:.Z' /proc/[0-9]*/status",
          "(setsid sleep 9999 &); sleep 0.2", "grep -l 'State:.Z' /proc/[0-9]*/status; pgrep -x sleep; echo end",
        ].map { ["run": .string($0), "continueOnError": true] })
      let process = try scene.firstProcess()
      try await scene.broker.logged("Sending SUBACK to worker-01\n")
      try await scene.send("job")
      #expect(try await process.end() == .code(0))
      #expect(scene.log("job", step: 0) == "1\n")
      #expect(scene.result("job")["steps"][1]["endedProcesses"] == 1)
      #expect(scene.log("job", step: 2) == "end\n")
    }
  }

  @Test(arguments: [SIGTERM, SIGINT])
  func signalEndsItWhileIdle(_ signal: Int32) async throws {
    try await Scene.play { scene in
      let process = try scene.firstProcess()
      try await scene.broker.logged("Sending SUBACK to worker-01\n")
      kill(try await process.child(), signal)
      #expect(try await process.end() == .code(0))
      try await scene.broker.logged("Received DISCONNECT from worker-01\n")
    }
  }

  @Test func signalEndsItInAStep() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo made > made.txt; echo ready; sleep 600"])
      let results = try await scene.results()
      let process = try scene.firstProcess()
      try await scene.broker.logged("Sending SUBACK to worker-01\n")
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "ready\n" }
      kill(try await process.child(), SIGTERM)
      #expect(try await process.end() == .code(0))
      #expect(try await results.message().json["status"] == "canceled")
      #expect(scene.result("job")["reason"] == "shutdown")
      #expect(scene.text("job", "results/made.txt") == "made\n")
    }
  }
}

extension Scene {
  /// A worker that is the first process of a PID namespace. The returned process is its parent, which ends as the
  /// worker does.
  fileprivate func firstProcess() throws -> ChildProcess {
    try start(
      installed("unshare"),
      [
        "--pid", "--fork", "--mount-proc", "--kill-child", try WorkerProcess.executable.string, "-u", broker.url, "-j",
        jobs.string, "-w", workspaces.string,
      ], name: "first")
  }
}
