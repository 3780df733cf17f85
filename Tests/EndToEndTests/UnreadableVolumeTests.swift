import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Commands that follow a job while the volume cannot be read.
@Suite(.enabled(if: NetworkVolume.isPossible, "\(NetworkVolume.demand)"))
struct UnreadableVolumeTests {
  private static let away = ["lookup * EIO *", "open * EIO *", "opendir * EIO *", "getattr * EIO *"]

  @Test(arguments: [true, false]) func submissionGoesOnAndTheBrokerTellsItsEnd(_ comesBack: Bool) async throws {
    try await Scene.play { scene in
      let seen = scene.files.appending("seen")
      try await NetworkVolume.showing(scene.jobs, at: seen, in: scene) { volume in
        try scene.worker()
        let folder = try scene.folder("job", ["steps": ["echo one", scene.held, "echo two"]])
        let submit = try scene.client(["submit", folder.string, "-j", seen.string])
        try await submit.prints("one\n")
        try volume.answer(Self.away)
        try await submit.says("Input/output error")
        try await submit.says("following the job as far as the broker tells of it")
        if comesBack { try volume.answer([]) }
        try scene.release()
        #expect(try await submit.end() == .code(0), "\(submit.errors)")
        #expect(submit.errors.split(separator: "\n").count { $0.contains("as far as the broker") } == 1)
        #expect(submit.errors.contains("output may be missing above") == !comesBack)
        if comesBack { #expect(submit.output == "one\ntwo\n") }
        try volume.answer([])
      }
    }
  }

  @Test func logsAreFollowedToTheEnd() async throws {
    try await Scene.play { scene in
      let seen = scene.files.appending("seen")
      try await NetworkVolume.showing(scene.jobs, at: seen, in: scene) { volume in
        try await scene.worker().listens()
        try scene.job("job", steps: ["echo one", scene.held, "echo two"])
        try await scene.send("job")
        let logs = try scene.client(["logs", "-f", "job", "-j", seen.string])
        try await logs.prints("one\n")
        try volume.answer(["opendir .worker/claims EACCES *"])
        try await logs.says("; trying again")
        try volume.answer([])
        try scene.release()
        #expect(try await logs.end() == .code(0), "\(logs.errors)")
        #expect(logs.output == "one\ntwo\n")
      }
    }
  }

  @Test(arguments: [["status"], ["logs"], ["cancel"], ["retry"]])
  func jobWhoseFolderCannotBeReadIsNotCalledMissing(_ command: [String]) async throws {
    try await Scene.play { scene in
      let seen = scene.files.appending("seen")
      try scene.job("job", steps: ["true"])
      try await NetworkVolume.showing(scene.jobs, at: seen, in: scene, rules: ["lookup job EIO *"]) { volume in
        let client = try scene.client(command + ["job", "-j", seen.string])
        #expect(try await client.end() == .code(74), "\(client.errors)")
        #expect(client.errors.contains("/job: Input/output error"), "\(client.errors)")
        try volume.answer([])
      }
    }
  }

  /// The next step has begun meanwhile.
  @Test func logThatCannotBeOpenedForAMomentIsNotTakenForComplete() async throws {
    try await Scene.play { scene in
      let seen = scene.files.appending("seen")
      try await NetworkVolume.showing(scene.jobs, at: seen, in: scene) { volume in
        try scene.worker()
        let second = scene.files.appending("second")
        let steps: JSON = [
          "echo one; \(scene.waitForGate); echo two",
          .string("echo three; until [ -e '\(second)' ]; do sleep 0.02; done"),
        ]
        let submit = try scene.client(["submit", scene.folder("job", ["steps": steps]).string, "-j", seen.string])
        try await submit.prints("one\n")
        try volume.answer(["open job/results/step_0.log ESTALE *"])
        try await submit.says("Stale file handle")
        try scene.openGate()
        try await eventually("the second step") { scene.log("job", step: 1) == "three\n" }
        try volume.answer([])
        try await submit.prints("one\ntwo\nthree\n")
        try scene.write("", second)
        #expect(try await submit.end() == .code(0), "\(submit.errors)")
      }
    }
  }
}
