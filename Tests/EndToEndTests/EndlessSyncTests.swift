import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// An export ends when the job has to end, however much is left.
@Suite struct EndlessSyncTests {
  /// A sparse file of this size takes one call to make, and hours to hash.
  @Test func fileOfManyTerabytesOfNothingComesBackAtOnce() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["truncate -s 15T huge || exit 9; echo x > small"])
      let result = try await scene.outcome()
      try #require(result["exitCode"] != 9, "the file system of the test has no such files")
      #expect(result["status"] == "success")
      #expect(result["artifacts"].elements.map { $0["path"] } == ["huge", "small"])
      #expect(result["artifacts"][0]["sha256"] == .null)
      #expect(result["artifacts"][0]["size"].number == Double(15 << 40))
    }
  }

  /// What ends the export: the text in the result, and the action on the worker.
  enum Ending: String, CaseIterable {
    case timeout, cancel, terminate, twice
  }

  /// Many sparse files of the largest size that is hashed: minutes of work that needs no disk.
  @Test(arguments: Ending.allCases) func syncThatTakesTooLongIsEnded(_ ending: Ending) async throws {
    try await Scene.play { scene in
      let steps: [JSON] = ["echo a > a; truncate -s 15G $(seq -f big%g 100)"]
      try scene.job("job", ending == .timeout ? ["steps": .array(steps), "timeout": 3] : ["steps": .array(steps)])
      let worker = try scene.worker(["--grace", ending == .twice ? "10m" : "1s"])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("a file under way") { scene.results().contains { $0.hasSuffix(".partial") } }
      switch ending {
      case .timeout: break
      case .cancel: try await scene.broker.publish("jobs/cancel/job", "")
      case .terminate: worker.send(SIGTERM)
      case .twice:
        worker.send(SIGTERM)
        try await worker.says("stop")
        worker.send(SIGTERM)
      }
      #expect(try await worker.end() == .code(0))
      let result = scene.result("job")
      #expect(result["status"] == (ending == .timeout ? "timeout" : "canceled"))
      #expect(result["error"].text.contains("changed files did not come back"))
      #expect(result["artifacts"].elements.first?["path"] == "a")
      let skipped = result["skipped"].elements
      #expect(skipped.count > 50)
      #expect(skipped.allSatisfy { $0["reason"] == "not copied: the job was to end" })
      #expect(result["artifacts"].elements.count + skipped.count == 101)
      #expect(!scene.results().contains { $0.hasSuffix(".partial") })
    }
  }
}
