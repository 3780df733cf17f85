import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// SIGHUP from a closed terminal or a supervisor, and SIGPIPE.
@Suite(.everyAccess) struct HangupTests {
  @Test func hangupStopsAJobInOrder() async throws {
    try await Scene.play { scene in
      let go = scene.files.appending("go")
      let step =
        "trap 'until [ -e \(go) ]; do sleep 0.02; done; echo asked; exit 0' TERM; echo made > made.txt; echo ready; "
        + "while :; do sleep 0.05; done"
      try scene.job("job", steps: [.string(step)])
      let results = try await scene.results()
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "ready\n" }
      // The kernel and a shell that ends send one SIGHUP each: the second does not mean a kill. Nor does QUIT.
      worker.send(SIGHUP)
      try await worker.says("SIGHUP: stopping")
      worker.send(SIGHUP)
      worker.send(SIGQUIT)
      try await worker.says("SIGQUIT: stopping")
      try scene.write("", go)
      #expect(try await worker.end() == .code(0))
      #expect(try await results.message().json["status"] == "canceled")
      let result = scene.result("job")
      #expect(result["reason"] == "shutdown")
      #expect(result["steps"][0]["killed"] == false)
      // The shell may also report that a sleep was ended.
      #expect(scene.log("job").hasSuffix("asked\n"))
      #expect(scene.text("job", "results/made.txt") == "made\n")
      #expect(!worker.log.contains("ending at once"))
    }
  }

  @Test func hangupEndsAnIdleWorkerWell() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker()
      try await worker.listens()
      worker.send(SIGHUP)
      #expect(try await worker.end() == .code(0))
      try await scene.broker.logged("Received DISCONNECT from worker-01\n")
    }
  }

  @Test func whoWasStartedWithHangupIgnoredIgnoresIt() async throws {
    try await Scene.play { scene in
      let gate = scene.gate()
      // Steps do not inherit the signals that the worker ignores.
      let step = "grep SigIgn /proc/self/status; echo ready; \(scene.waiting(for: gate))"
      try scene.job("job", steps: [.string(step)])
      let script = "trap '' HUP; exec \(try WorkerProcess.executable) -j '\(scene.jobs)' -w '\(scene.workspaces)'"
      let process = try scene.start(
        installed("bash"), ["-c", script],
        environment: scene.environment.merging(scene.broker.workerEnvironment) { $1 }, name: "nohup")
      try await scene.broker.logged("Sending SUBACK to worker-01\n")
      try await scene.send("job")
      try await eventually("the step") { scene.log("job").hasSuffix("ready\n") }
      process.send(SIGHUP)
      try scene.open(gate)
      #expect(try await process.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      let ignored = try #require(scene.log("job").split(separator: "\n").first?.split(separator: "\t").last)
      let signals = try #require(UInt64(ignored, radix: 16))
      for number in [SIGHUP, SIGPIPE, SIGTERM] { #expect(signals >> (number - 1) & 1 == 0) }
    }
  }

  @Test func clientCommandEndsByAHangup() async throws {
    try await Scene.play { scene in
      // With no subscriber, or without the right to publish, the command would end by itself.
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      let client = try scene.submit(
        try scene.folder("job", ["steps": ["true"]]), environment: scene.broker.environment(as: "controller"))
      try await eventually("its request") { scene.broker.log.contains("'jobs/pending'") }
      client.send(SIGHUP)
      let end = try await client.end()
      #expect(end == .signal(SIGHUP), "\(client.output)\n\(client.errors)")
    }
  }

  /// A write to a closed peer fails with EPIPE, whatever the command.
  @Test(arguments: [
    ["-i", "worker-01", "--connect-timeout", "60s", "-u", "mqtt://127.0.0.1:1"],
    ["submit", "-u", "mqtt://127.0.0.1:1", "job"], ["workers", "-u", "mqtt://127.0.0.1:1"],
  ])
  func brokenPipeEndsNoCommand(_ arguments: [String]) async throws {
    try await Scene.play(.down) { scene in
      try scene.job("job", steps: ["true"])
      let folders = arguments[0] == "workers" ? [] : ["-j", scene.jobs.string]
      let process = try scene.start(WorkerProcess.executable, arguments + folders, name: "process")
      try await eventually("SIGPIPE to be ignored") { process.end != nil || process.ignores(SIGPIPE) }
      #expect(process.ignores(SIGPIPE))
      process.send(SIGPIPE)
      process.send(SIGTERM)
      #expect(try await process.end() != .signal(SIGPIPE))
    }
  }
}
