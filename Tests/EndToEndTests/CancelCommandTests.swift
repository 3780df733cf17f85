import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct CancelCommandTests {
  /// A job that runs until it is ended.
  private func running(_ scene: Scene) async throws -> WorkerProcess {
    try scene.job("job", steps: ["echo begun; exec sleep 600"])
    let worker = try scene.worker()
    try await worker.listens()
    try await scene.send("job")
    try await eventually("the step") { scene.log("job") == "begun\n" }
    return worker
  }

  @Test func jobIsEndedAndItsResultPrinted() async throws {
    try await Scene.play { scene in
      let worker = try await running(scene)
      let cancel = try scene.client(["cancel", "job", "--wait", "--json", "-j", scene.jobs.string])
      #expect(try await cancel.end() == .code(0))
      #expect(try JSON(Data(cancel.output.utf8))["status"] == "canceled")
      try await worker.end()
    }
  }

  @Test func workersAreAskedWhoHasTheJobWhenThereIsNoVolume() async throws {
    try await Scene.play { scene in
      // An earlier run, whose result the broker keeps.
      try scene.job("job", steps: ["true"])
      let earlier = try scene.worker()
      try await earlier.listens()
      try await scene.send("job")
      try await earlier.end()
      let worker = try await running(scene)
      let cancel = try scene.client(["cancel", "job", "--wait", "--json"])
      #expect(try await cancel.end() == .code(0))
      #expect(try JSON(Data(cancel.output.utf8))["status"] == "canceled")
      try await worker.end()
    }
  }

  @Test func withoutWaitingItSaysWhomItAsked() async throws {
    try await Scene.play { scene in
      let worker = try await running(scene)
      let cancel = try scene.client(["cancel", "job", "-j", scene.jobs.string])
      #expect(try await cancel.end() == .code(0))
      #expect(cancel.errors.contains("asked worker worker-01"))
      try await worker.end()
      #expect(scene.result("job")["status"] == "canceled")
    }
  }

  @Test func jobThatNobodyHasIsToldSo() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let known = try scene.client(["cancel", "job", "-j", scene.jobs.string])
      #expect(try await known.end() == .code(66))
      #expect(known.errors.contains("no worker has job job; it is pending"))
      let unknown = try scene.client(["cancel", "other"])
      #expect(try await unknown.end() == .code(66))
      #expect(unknown.errors.contains("no worker has job other"))
    }
  }
}
