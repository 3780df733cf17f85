import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// `mqtt-fs-worker health` as a container's health check: with the worker's environment, and without arguments.
@Suite struct HealthTests {
  @Test func healthIsThatOfTheWorkerInThisEnvironment() async throws {
    try await Scene.play { scene in
      let absent = try await scene.health()
      #expect(absent.end == .code(1))
      #expect(absent.errors.contains("worker worker-01 does not answer"))
      let worker = try scene.worker([])
      try await worker.listens()
      let well = try await scene.health()
      #expect(well.end == .code(0))
      #expect(well.output == "worker worker-01: idle\n")
      let json = try await scene.health("--json")
      #expect(try JSON(Data(json.output.utf8))["status"]["pid"] == .number(Double(worker.pid)))

      try await worker.freeze()
      #expect(try await scene.health("--wait", "1s").end == .code(1))
      worker.thaw()
      #expect(try await scene.health().end == .code(0))
      try await worker.kill()
      #expect(try await scene.health("--wait", "1s").end == .code(1))
    }
  }

  /// If the health check ended a worker for a lost connection, the worker would lose its job, too.
  @Test func workerWithoutABrokerIsWellOnlyWhileItHasAJob() async throws {
    try await Scene.play { scene in
      let busy = try scene.worker("busy", on: "jobs/pending", [])
      try await busy.listens()
      try await scene.hold("job")
      let idle = try scene.worker("idle", on: "jobs/other", [])
      try await idle.listens()
      try await scene.broker.stop()
      try await idle.says("next try in")
      try await busy.says("next try in")
      let unwell = try await scene.health("--id", "idle")
      #expect(unwell.end == .code(1))
      #expect(unwell.output == "worker idle: idle, no connection to the broker\n")
      let well = try await scene.health("-i", "busy")
      #expect(well.end == .code(0))
      #expect(well.output == "worker busy: busy, no connection to the broker\n")
      try scene.open("job")
      try await scene.broker.start()
      #expect(try await busy.end() == .code(0))
    }
  }

  /// Any user can take the name of an abstract socket (unix(7)).
  @Test(.enabled(if: geteuid() == 0, "needs root, to run a program as another user"))
  func processOfAnotherUserIsNotBelieved() async throws {
    try await Scene.play(.down) { scene in
      let script = """
        import os, socket, sys
        status = os.stat(sys.argv[1])
        name, hash = "worker-01", 0xCBF29CE484222325
        for byte in name.encode(): hash = (hash ^ byte) * 0x100000001B3 % 2**64
        digits = ""
        while hash: digits, hash = "0123456789abcdefghijklmnopqrstuvwxyz"[hash % 16] + digits, hash // 16
        os.setuid(int(sys.argv[2]))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"\\0mqtt-fs-worker/{status.st_dev}:{status.st_ino}/{name}-{digits}")
        listener.listen()
        print("listening", flush=True)
        while True:
            peer, _ = listener.accept()
            peer.sendall(b'{"connected":true,"status":{"state":"idle","workerId":"worker-01"}}')
            peer.close()
        """
      for (user, status) in [("65534", 1 as Int32), ("0", 0)] {
        let impostor = try scene.start(
          installed("python3"), ["-c", script, scene.workspaces.string, user], name: "impostor")
        try await eventually("the impostor") { impostor.output.contains("listening") }
        #expect(try await scene.health("--wait", "1s").end == .code(status), "user \(user)")
        impostor.send(SIGKILL)
        try await impostor.end()
      }
    }
  }

  @Test func folderOfNoWorkerIsNamed() async throws {
    try await Scene.play(.down) { scene in
      let end = try await scene.run(["health", "-w", "/nowhere"])
      #expect(end.end == .code(1))
      #expect(end.errors.contains("there is no folder /nowhere"))
    }
  }
}

extension Scene {
  fileprivate func health(_ arguments: String...) async throws -> (end: ProcessEnd, output: String, errors: String) {
    try await run(["health"] + arguments, environment: ["MQTT_WORKSPACES_DIR": workspaces.string])
  }
}
