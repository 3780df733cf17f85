import Glibc
import SystemPackage
import TestSupport
import Testing

/// A volume that is unmounted or renamed for less than a lease, or answers once with an error.
@Suite struct AbsentVolumeTests {
  private func renames(_ scene: Scene, during body: () async throws -> Void) async throws {
    let elsewhere = FilePath("\(scene.jobs).elsewhere")
    #expect(rename(scene.jobs.string, elsewhere.string) == 0)
    defer { #expect(rename(elsewhere.string, scene.jobs.string) == 0) }
    try await body()
  }

  @Test func jobEndsAsIfItHadNotBeenAway() async throws {
    try await Scene.play { scene in
      let definition: JSON = ["steps": [.string("echo begun; \(scene.waitForGate); echo done")], "maxAttempts": 1]
      try scene.job("job", definition)
      let results = try await scene.results()
      let worker = try scene.worker(["--lease", "60s"])
      try await worker.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      try await renames(scene) {
        try scene.openGate()
        try await worker.says("/.worker/claims: No such file or directory")
        try await worker.says("asking again")
      }
      #expect(try await worker.end() == .code(0), "\(worker.log)")
      #expect(try await results.message().json["status"] == "success")
      #expect(scene.result("job")["attempt"] == 1 && scene.log("job") == "begun\ndone\n")
    }
  }

  /// The worker may still touch its claim, which it has open.
  @Test func jobIsLeftToItsNextAttemptAfterALease() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("echo run; \(scene.waitForGate)"), "echo second"])
      let results = try await scene.results()
      let first = try scene.worker(["--lease", "2s"])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "run\n" }
      try await renames(scene) {
        try scene.openGate()
        // It asks ten times in a lease.
        try await eventually("more than a lease without the volume") {
          first.log.split(separator: "\n").count { $0.contains("asking again") } > 13
        }
      }
      try await first.end()
      #expect(first.log.contains("leaving the job to its next attempt"), "\(first.log)")
      let second = try scene.worker("worker-02", on: "jobs/pending", ["--lease", "2s"])
      #expect(try await results.message().json["status"] == "success")
      #expect(scene.result("job")["attempt"] == 2 && scene.log("job", step: 1) == "second\n")
      try await second.end()
    }
  }

  /// An NFS server may say so of everything for a moment.
  @Test(.enabled(if: NetworkVolume.isPossible, "\(NetworkVolume.demand)"))
  func claimThatIsStaleForAMomentIsNotLost() async throws {
    try await Scene.play { scene in
      let shown = scene.files.appending("shown")
      try await NetworkVolume.showing(scene.jobs, at: shown, in: scene) { volume in
        let definition: JSON = ["steps": [.string("echo begun; \(scene.waitForGate)")], "maxAttempts": 1]
        try scene.job("job", definition)
        let worker = try scene.worker(["-j", shown.string, "--lease", "60s"])
        try await worker.listens()
        try await scene.send("job")
        try await eventually("the step") { scene.log("job") == "begun\n" }
        try volume.answer(["lookup", "getattr", "open", "opendir"].map { "\($0) .worker/claims* ESTALE *" })
        try scene.openGate()
        try await worker.says("asking again")
        try volume.answer([])
        #expect(try await worker.end() == .code(0), "\(worker.log)")
        #expect(scene.result("job")["status"] == "success" && scene.result("job")["attempt"] == 1)
      }
    }
  }

  /// The worker has the claim, and cannot see whether somebody has canceled the job.
  @Test(.enabled(if: NetworkVolume.isPossible, "\(NetworkVolume.demand)"))
  func errorBeforeTheFirstStepIsNoAttempt() async throws {
    try await Scene.play { scene in
      let shown = scene.files.appending("shown")
      let rules = ["lookup .worker/canceled/job.json EIO 1"]
      try await NetworkVolume.showing(scene.jobs, at: shown, in: scene, rules: rules) { _ in
        try scene.job("job", ["steps": ["echo run"], "maxAttempts": 1])
        try await scene.broker.makeSession("worker-01", on: "jobs/pending")
        try await scene.send("job")
        let first = try scene.worker(["-j", shown.string, "--lease", "1s"])
        #expect(try await first.end() == .code(74), "\(first.log)")
        let second = try scene.worker(["-j", shown.string, "--lease", "1s"])
        #expect(try await second.end() == .code(0), "\(second.log)")
        #expect(scene.result("job")["status"] == "success" && scene.log("job") == "run\n")
      }
    }
  }

  /// A log that cannot be made, an artifact that cannot be copied, for a moment.
  @Test(
    .enabled(if: NetworkVolume.isPossible, "\(NetworkVolume.demand)"),
    arguments: ["create job/results/step_1.log EIO *", "create job/results/.*.partial ETIMEDOUT *"])
  func whatCannotBeWrittenForAMomentIsWrittenAgain(_ rule: String) async throws {
    try await Scene.play { scene in
      let shown = scene.files.appending("shown")
      try await NetworkVolume.showing(scene.jobs, at: shown, in: scene) { volume in
        let steps: JSON = [.string("echo one; \(scene.waitForGate)"), "echo two; echo made > out.txt"]
        try scene.job("job", ["steps": steps, "maxAttempts": 1])
        let worker = try scene.worker(["-j", shown.string, "--lease", "60s"])
        try await worker.listens()
        try await scene.send("job")
        try await eventually("the step") { scene.log("job") == "one\n" }
        try volume.answer([rule])
        try scene.openGate()
        try await worker.says("asking again")
        try volume.answer([])
        #expect(try await worker.end() == .code(0), "\(worker.log)")
        #expect(scene.result("job")["status"] == "success" && scene.log("job", step: 1) == "two\n")
        #expect(scene.text("job", "results/out.txt") == "made\n")
      }
    }
  }

  @Test(.enabled(if: NetworkVolume.isPossible, "\(NetworkVolume.demand)"), arguments: [2, 1])
  func stagingThatFailsIsLeftToTheNextAttempt(_ attempts: Int) async throws {
    try await Scene.play { scene in
      let shown = scene.files.appending("shown")
      try await NetworkVolume.showing(scene.jobs, at: shown, in: scene, rules: ["open job/data EIO 1"]) { _ in
        try scene.job("job", ["steps": ["cat data"], "maxAttempts": .number(Double(attempts))], ["data": "whole\n"])
        try await scene.broker.makeSession("worker-01", on: "jobs/pending")
        try await scene.send("job")
        let first = try scene.worker(["-j", shown.string, "--lease", "1s"])
        try await first.end()
        guard attempts > 1 else {
          #expect(scene.result("job")["status"] == "error" && scene.result("job")["phase"] == "stage")
          return
        }
        #expect(first.log.contains("leaving the job to its next attempt"), "\(first.log)")
        let second = try scene.worker(["-j", shown.string, "--lease", "1s"])
        #expect(try await second.end() == .code(0), "\(second.log)")
        #expect(scene.result("job")["status"] == "success" && scene.log("job") == "whole\n")
      }
    }
  }

  @Test(.enabled(if: NetworkVolume.isPossible, "\(NetworkVolume.demand)"))
  func jobThatIsCanceledMeanwhileEndsSoon() async throws {
    try await Scene.play { scene in
      let shown = scene.files.appending("shown")
      let rules = ["create job/results/step_1.log EIO *"]
      try await NetworkVolume.showing(scene.jobs, at: shown, in: scene, rules: rules) { volume in
        try scene.job("job", steps: ["echo one", "echo two"])
        let worker = try scene.worker(["-j", shown.string, "--lease", "600s"])
        try await worker.listens()
        try await scene.send("job")
        try await worker.says("step_1.log cannot be made: Input/output error; asking again")
        try await scene.broker.publish("jobs/cancel/job", "{}")
        #expect(try await worker.end() == .code(0), "\(worker.log)")
        let result = scene.result("job")
        #expect(result["status"] == "canceled" && result["reason"] == "canceled")
        #expect(result["steps"][0]["status"] == "success" && result["steps"][1]["status"] == "skipped")
      }
    }
  }

  @Test(.enabled(if: NetworkVolume.isPossible, "\(NetworkVolume.demand)"))
  func resultSaysWhichArtifactsCameBack() async throws {
    try await Scene.play { scene in
      let shown = scene.files.appending("shown")
      let rules = ["write job/results/bad/.*.partial EIO *"]
      try await NetworkVolume.showing(scene.jobs, at: shown, in: scene, rules: rules) { _ in
        try scene.job("job", steps: ["mkdir bad; echo bad > bad/file; echo good > good"])
        try await scene.broker.makeSession("worker-01", on: "jobs/pending")
        try await scene.send("job")
        let worker = try scene.worker(["-j", shown.string, "--lease", "2s"])
        try await worker.end()
        let result = scene.result("job")
        #expect(result["status"] == "error" && result["phase"] == "sync")
        #expect(result["error"].string?.contains("'bad/file': Input/output error") == true)
        #expect(result["artifacts"].elements.map { $0["path"] } == ["good"])
        #expect(scene.text("job", "results/good") == "good\n")
      }
    }
  }
}
