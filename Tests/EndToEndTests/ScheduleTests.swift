import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// examples/cron.
@Suite struct ScheduleTests {
  private static let folder = Checkout.root.pushing(FilePath("examples/cron"))

  private func scheduled(_ scene: Scene, _ folder: FilePath, _ arguments: String...) throws -> ChildProcess {
    var environment = scene.environment
    let program = try WorkerProcess.executable.removingLastComponent()
    environment["PATH"] = "\(program):\(environment["PATH"] ?? "/usr/bin:/bin")"
    environment["MQTT_URL"] = scene.broker.url
    environment["MQTT_JOBS_DIR"] = scene.jobs.string
    return try scene.start(
      Self.folder.appending("scheduled.sh"), [folder.string] + arguments, environment: environment, name: "scheduled")
  }

  @Test func slotRunsOnceHoweverOftenItIsAskedFor() async throws {
    try await Scene.play { scene in
      let requests = try await scene.broker.collect("jobs/pending")
      let worker = try scene.worker(on: "jobs/pending", ["--jobs", "0"])
      try await worker.listens()
      let folder = try scene.folder("nightly", ["steps": ["echo run"]])
      // A second host has a folder of its own, so that the lock does not keep it.
      let other = scene.files.appending("other").appending("nightly")
      try FileManager.default.createDirectory(
        atPath: other.removingLastComponent().string, withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: folder.string, toPath: other.string)
      let hosts = try [scheduled(scene, folder, "20261130"), scheduled(scene, other, "20261130")]
      for host in hosts { #expect(try await host.end() == .code(0), "\(host.errors)") }
      let again = try scheduled(scene, folder, "20261130")
      #expect(try await again.end() == .code(0))
      #expect(again.output == "" && again.errors == "")
      #expect(scene.volume.filter { !$0.contains("/") || $0.hasSuffix("/job.json") } == ["nightly-20261130/job.json"])
      #expect(scene.result("nightly-20261130")["attempt"] == 1)
      #expect(requests.messages.count == 1)
      let next = try scheduled(scene, folder, "20261201")
      #expect(try await next.end() == .code(0), "\(next.errors)")
      #expect(requests.messages.map { $0.json["id"].string } == ["nightly-20261130", "nightly-20261201"])
    }
  }

  @Test func jobThatStillRunsKeepsTheNextSlotFromStarting() async throws {
    try await Scene.play { scene in
      try await scene.worker().listens()
      let folder = try scene.folder("nightly", ["steps": [scene.held]])
      let long = try scheduled(scene, folder, "1")
      try await eventually("the start of the job") { scene.volume.contains("nightly-1/results/") }
      let next = try scheduled(scene, folder, "2")
      #expect(try await next.end() == .code(0))
      #expect(next.errors.contains("still runs; nightly-2 is left out"))
      try scene.release()
      #expect(try await long.end() == .code(0), "\(long.errors)")
      #expect(!scene.volume.contains("nightly-2/"))
    }
  }

  /// 73 is also what `submit` says of an id that is taken.
  @Test(arguments: [3, 73]) func failureIsShownWithWhatTheJobWrote(_ code: Int32) async throws {
    try await Scene.play { scene in
      try await scene.worker().listens()
      let folder = try scene.folder("nightly", ["steps": ["echo it went wrong; exit $CODE"]])
      let run = try scheduled(scene, folder, "hour", "--env", "CODE=\(code)")
      #expect(try await run.end() == .code(code))
      #expect(run.errors.contains("it went wrong") && run.errors.contains("failed with exit code \(code)"))
    }
  }

  @Test func slotThatCouldNotBeSentIsNotUsedUp() async throws {
    try await Scene.play(.down) { scene in
      let folder = try scene.folder("nightly", ["steps": ["true"]])
      let first = try scheduled(scene, folder, "1", "--connect-timeout", "100ms")
      #expect(try await first.end() == .code(69))
      #expect(scene.volume.isEmpty)
      try await scene.broker.start()
      try await scene.worker().listens()
      let second = try scheduled(scene, folder, "1")
      #expect(try await second.end() == .code(0), "\(second.errors)")
      #expect(scene.result("nightly-1")["status"] == "success")
    }
  }
}
