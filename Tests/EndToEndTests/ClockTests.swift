import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Wall clocks of the worker or the volume that jump back an hour. To a host whose clock was set back, files touched
/// before lie in the future.
@Suite struct ClockTests {
  static let hour: TimeInterval = 3600

  @Test func claimOfADeadWorkerFromTheFutureExpiresAfterALease() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); [ $JOB_ATTEMPT = 2 ] || sleep 1000")])
      let first = try scene.worker(["--lease", "1s"])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.runs("job") == 1 }
      try await first.kill()
      try scene.date(scene.claim, Date() + ClockTests.hour)
      try scene.date(scene.jobs.appending(".worker/members/worker-01.json"), Date() + ClockTests.hour)
      let second = try scene.worker("worker-02", ["--lease", "1s"])
      #expect(try await second.end() == .code(0))
      #expect(scene.result("job")["attempt"] == 2)
    }
  }

  @Test func claimOfALivingWorkerDoesNotExpire() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); \(scene.waitForGate)")])
      let first = try scene.worker(["--lease", "1s"])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.runs("job") == 1 }
      let second = try scene.worker("worker-02", ["--lease", "1s"])
      try await second.listens()
      // The clock is set back three times; each time the next touch is an hour earlier than the one before.
      for _ in 1...3 {
        try scene.date(scene.claim, Date() + ClockTests.hour)
        try await eventually("the next touch") { try scene.age(scene.claim) > -ClockTests.hour / 2 }
      }
      #expect(scene.claims == ["job.1.json"])
      try scene.openGate()
      #expect(try await first.end() == .code(0))
      #expect(scene.runs("job") == 1)
      second.send(SIGTERM)
      #expect(try await second.end() == .code(0))
    }
  }

  @Test(.enabled(if: fakeTime != nil, "needs libfaketime; on Debian: apt-get install faketime"))
  func durationsAndTimeoutsDoNotFollowTheWallClock() async throws {
    try await Scene.play { scene in
      try scene.job(
        "job",
        steps: [
          .string("echo begun; \(scene.waitForGate); sleep 1"), ["run": "sleep 1000", "timeout": "1s"],
        ])
      let clock = scene.files.appending("clock")
      try scene.write("+0\n", clock)
      // The library also moves the timers that touch the claim.
      let worker = try scene.worker(
        ["--lease", "60s"],
        environment: [
          "LD_PRELOAD": fakeTime ?? "", "FAKETIME_TIMESTAMP_FILE": clock.string, "FAKETIME_NO_CACHE": "1",
          "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
        ])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      try scene.write("-1h\n", clock)
      try scene.openGate()
      #expect(try await worker.end() == .code(0))
      let result = scene.result("job")
      #expect(result["status"] == "timeout")
      for duration in [
        result["timing"]["durationMs"], result["timing"]["runMs"], result["steps"][0]["durationMs"],
        result["steps"][1]["durationMs"],
      ] {
        let milliseconds = try #require(duration.number)
        #expect((900...60_000).contains(milliseconds))
      }
      // The clock did jump.
      let (start, end) = (result["timing"]["start"].text, result["timing"]["end"].text)
      #expect(end < start)
    }
  }
}

/// Where Debian and others put the library that faketime(1) preloads.
private let fakeTime: String? = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
  "/usr/lib64/faketime/libfaketimeMT.so.1",
].first { access($0, R_OK) == 0 }

extension Scene {
  fileprivate func date(_ path: FilePath, _ date: Date) throws {
    try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path.string)
  }

  fileprivate func age(_ path: FilePath) throws -> TimeInterval {
    let attributes = try FileManager.default.attributesOfItem(atPath: path.string)
    return Date().timeIntervalSince(try #require(attributes[.modificationDate] as? Date))
  }
}
