import Foundation
import SystemPackage
import TestSupport
import Testing

/// A worker never removes a file that no worker made, even if it has the name of a worker's file.
@Suite struct OwnResultsTests {
  @Test func resultsOfTheUsersOwnRefuseTheJobBeforeAStepRuns() async throws {
    try await Scene.play { scene in
      let own = ["results/2019/x.csv": "precious", "results.previous/y.csv": "precious"]
      let folder = try scene.job("job", steps: ["touch \"$JOB_RESULTS_DIR/../ran\""], own)
      let results = try await scene.results()
      let before = scene.volume
      for _ in 1...3 { _ = try await scene.outcome() }
      let message = try await results.message()
      #expect(message.json["status"] == "error")
      #expect(
        message.json["error"].string?.contains("\(folder)/results holds \"2019\" and nothing that a worker made")
          == true)
      #expect(message.json["error"].text.contains("rename or remove it"))
      #expect(scene.volume == before)
      for path in own.keys { #expect(scene.text("job", path) == "precious") }
    }
  }

  @Test func previousResultsOfTheUsersOwnAreLeftAlone() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo made > made"], ["results.previous/y.csv": "precious"])
      for run in 1...3 {
        let result = try await scene.outcome()
        #expect(result["status"] == "success")
        #expect(scene.text("job", "results.previous/y.csv") == "precious")
        let told = result["skipped"].elements.filter { $0["path"] == "results.previous" }
        #expect(told.count == (run == 1 ? 0 : 1))
        // Only the last of the earlier runs is kept.
        let hidden = scene.volume.filter { $0.hasPrefix("job/.worker/") && $0.hasSuffix("result.json") }
        #expect(hidden.count == (run == 1 ? 0 : 1))
      }
    }
  }

  /// A step of a killed attempt removed everything that showed that the worker made results/.
  @Test func resultsOfAKilledAttemptAreMovedAside() async throws {
    try await Scene.play { scene in
      let gate = scene.gate()
      try scene.job(
        "job",
        steps: [
          .string(
            "test $JOB_ATTEMPT = 2 || { rm -rf \"$JOB_RESULTS_DIR\"; mkdir \"$JOB_RESULTS_DIR\"; echo x > \"$JOB_RESULTS_DIR/mine\"; touch ready; "
              + "cp ready '\(scene.files)/ready'; \(scene.waiting(for: gate)); }")
        ])
      let first = try scene.worker([])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { FileManager.default.fileExists(atPath: scene.files.appending("ready").string) }
      try await first.kill()
      #expect(try await scene.worker([]).end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.result("job")["attempt"] == 2)
      #expect(scene.text("job", "results.previous/mine") == "x\n")
    }
  }

  /// The results of version 0.1.0: with a result.json, or with only a log if the worker died.
  @Test(arguments: ["step_0.log", ".result.json.reserved"]) func resultsOfAnyWorkerMakeWay(_ name: String) async throws
  {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"], ["results/\(name)": "", "results/sub/artifact": "old"])
      #expect(try await scene.outcome()["status"] == "success")
      #expect(scene.text("job", "results.previous/sub/artifact") == "old")
      #expect(try await scene.outcome()["status"] == "success")
      #expect(scene.text("job", "results.previous/sub/artifact") == nil)
    }
  }

  @Test func checkAndSubmitSayWhatIsNoPartOfTheJob() async throws {
    try await Scene.play { scene in
      let folder = try scene.folder("job", ["steps": ["true"]], ["results/2019/x.csv": "precious"])
      let check = try await scene.run(["check", folder.string])
      #expect(check.end == .code(65))
      #expect(check.output.contains("\(folder)/results holds \"2019\" and nothing that a worker made"))
      let worker = try scene.worker([])
      try await worker.listens()
      let submit = try scene.submit(folder)
      #expect(try await submit.end() == .code(0))
      #expect(submit.errors.contains("\(folder)/results holds \"2019\""))
      #expect(submit.errors.contains("it is not copied"))
      #expect(!scene.volume.contains("job/results/2019/"))
    }
  }
}
