import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// A log that goes to a pipe without a reader, which is full before the worker begins.
@Suite struct UnreadLogTests {
  private func start(_ scene: Scene, _ arguments: String) throws -> ChildProcess {
    let executable = try WorkerProcess.executable
    let script = """
      mkfifo log && exec 3<>log && head -c 65536 /dev/zero >&3 &&
      exec \(executable) -i worker-01 -j \(scene.jobs) -w \(scene.workspaces) \(arguments) 2>&3 3>&-
      """
    let environment = scene.environment.merging(scene.broker.workerEnvironment) { $1 }
    return try scene.start("/bin/sh", ["-c", script], environment: environment, in: scene.files, name: "worker-01")
  }

  @Test func workerWorksAndLeavesThoughNobodyReadsItsLog() async throws {
    try await Scene.play { scene in
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try await scene.send("one", ["steps": ["true"]])
      let worker = try start(scene, "--jobs 0 --log-level debug")
      try await results.message(on: "jobs/results/one")
      for _ in 0..<500 { try await scene.broker.publish("jobs/pending", "garbage") }
      try await scene.send("two", ["steps": ["true"]])
      try await results.message(on: "jobs/results/two")
      let health = try await scene.run(["health", "-i", "worker-01", "-w", scene.workspaces.string])
      #expect(health.end == .code(0))

      // A later reader learns what is missing.
      let reader = try scene.start(
        "/bin/sh", ["-c", "exec grep -a -m 1 'no process read stderr' log"], in: scene.files, name: "reader")
      #expect(try await reader.end() == .code(0))
      #expect(reader.output.contains("were dropped"))
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test func secondTermEndsTheStepThoughNobodyReadsTheLog() async throws {
    try await Scene.play { scene in
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try await scene.send("job", ["steps": ["trap '' TERM; echo begun; while :; do sleep 0.1; done"]])
      let worker = try start(scene, "--log-level trace --grace 1h")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      worker.send(SIGTERM)
      try await Task.sleep(for: .milliseconds(300))
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "canceled")
    }
  }
}
