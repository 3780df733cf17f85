import Glibc
import SystemPackage
import TestSupport
import Testing

/// A worker in a loop of a shell.
@Suite struct ShellLoopTests {
  @Test func shellLeavesItsLoopAfterCtrlC() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo begun; sleep 600"])
      let results = try await scene.results()
      // The loop has a process group of its own (set -m), which gets the signal together, as from a terminal.
      let loop = try scene.start(
        installed("env"),
        [
          // A shell that was started with INT ignored cannot change that.
          "--default-signal=INT", "bash", "-c",
          "set -m; (while :; do \"$@\"; done) & echo $!; wait $!; echo \"ended with $?\"", "bash",
          WorkerProcess.executable.string, "-u", scene.broker.url, "-j", scene.jobs.string, "-w",
          scene.workspaces.string,
        ], name: "loop")
      try await scene.broker.logged("Sending SUBACK to worker-01\n")
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      kill(-(try #require(loop.output.split(separator: "\n").first.flatMap { pid_t($0) })), SIGINT)
      try await loop.end()
      #expect(loop.output.hasSuffix("ended with 130\n"), "\(loop.output)")
      #expect(try await results.message().json["status"] == "canceled")
    }
  }
}
