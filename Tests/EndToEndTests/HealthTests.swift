import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// `mqtt-fs-worker health`, as a container's health check runs it: with the worker's environment, and no arguments.
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

  /// Ended for its lost connection, a worker would lose its job, too.
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
      #expect(try await busy.end(within: .seconds(60)) == .code(0))
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
