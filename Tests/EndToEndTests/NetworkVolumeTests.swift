import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Volumes that answer as a network volume may.
@Suite(.enabled(if: NetworkVolume.isPossible, "\(NetworkVolume.demand)"))
struct NetworkVolumeTests {
  /// The volume that two hosts share, and its mount point on the second host.
  private func shared(_ scene: Scene) -> (folder: FilePath, second: FilePath) {
    (scene.root.appending("volume"), scene.root.appending("jobs-2"))
  }

  // MARK: What is not said at once

  /// The server replaced the file during the open (nfs(5)). The kernel asks once more, and then the worker.
  @Test func staleAnswersAreAskedAgain() async throws {
    try await Scene.play { scene in
      let rules = ["members", "clocks"].map { "open .worker/\($0)/* ESTALE 3" }
      try await NetworkVolume.showing(shared(scene).folder, at: scene.jobs, in: scene, rules: rules) { volume in
        try scene.job("job", steps: [.string(scene.noteRun)])
        for run in 1...2 {
          let worker = try scene.worker(on: group, ["--lease", "1s"])
          try await worker.listens()
          try await scene.send("job", ["requestId": .string("r\(run)")])
          #expect(try await worker.end() == .code(0), "\(worker.log)")
          #expect(scene.result("job")["requestId"] == .string("r\(run)"))
          try volume.answer(rules)
        }
        #expect(scene.runs("job") == 2)
        #expect(volume.answers.contains { $0.contains("ESTALE") })
      }
    }
  }

  /// The server replaced the file while the worker read it.
  @Test(arguments: [true, false]) func staleFileIsStagedWholeOrNot(_ comesBack: Bool) async throws {
    try await Scene.play { scene in
      let rules = ["read job/data ESTALE \(comesBack ? "2" : "*")"]
      try await NetworkVolume.showing(shared(scene).folder, at: scene.jobs, in: scene, rules: rules) { volume in
        try scene.job("job", steps: ["wc -c < data"])
        try scene.write(String(repeating: "x", count: 100_000), scene.jobs.appending("job").appending("data"))
        let worker = try scene.worker([])
        try await worker.listens()
        try await scene.send("job")
        try await worker.end()
        #expect(scene.result("job")["status"] == (comesBack ? "success" : "error"))
        if comesBack {
          #expect(scene.log("job") == "100000\n")
        } else {
          #expect(scene.result("job")["error"].string?.contains("data") == true)
        }
        #expect(volume.answers.contains { $0.contains("ESTALE") })
      }
    }
  }

  /// The server accepted what it had no room for, and shortened the file again.
  @Test func fullVolumeThatSaysSoLateIsNotTakenForACutLog() async throws {
    try await Scene.play { scene in
      let rules = ["fsync job/results/step_0.log ENOSPC *"]
      try await NetworkVolume.showing(shared(scene).folder, at: scene.jobs, in: scene, rules: rules) { _ in
        try scene.job("job", steps: ["echo one; sleep 0.3; : > $JOB_RESULTS_DIR/step_0.log; sleep 0.3; echo two"])
        let worker = try scene.worker([])
        try await worker.listens()
        try await scene.send("job")
        #expect(try await worker.end() == .code(0))
        let error = scene.result("job")["steps"][0]["logError"].string ?? ""
        #expect(error.contains("No space left on device") && !error.contains("cut"), "\(error)")
      }
    }
  }

  /// The client took all of the output, and its server had no room for it.
  @Test func lossThatOnlyASyncTellsIsInTheResult() async throws {
    try await Scene.play { scene in
      let rules = ["fsync job/results/step_0.log ENOSPC *"]
      try await NetworkVolume.showing(shared(scene).folder, at: scene.jobs, in: scene, rules: rules) { _ in
        try scene.job("job", steps: ["echo one", "echo two"])
        let worker = try scene.worker([])
        try await worker.listens()
        try await scene.send("job")
        #expect(try await worker.end() == .code(0))
        let steps = scene.result("job")["steps"]
        #expect(
          steps[0]["logError"].string
            == "step_0.log: the volume reported No space left on device; the log may be incomplete")
        #expect(steps[1]["logError"] == .null)
      }
    }
  }

  // MARK: What was carried out is said to have failed

  /// The server removed the file and restarted before it answered, so the client sent the request again.
  @Test(arguments: ["unlink", "rename"]) func requestSurvivesTheSecondRemovalOfItsFile(_ operation: String)
    async throws
  {
    try await Scene.play { scene in
      try await NetworkVolume.showing(shared(scene).folder, at: scene.jobs, in: scene) { volume in
        try scene.job("long", steps: [.string("echo begun; \(scene.waitForGate)")])
        try scene.job("job", steps: [.string(scene.noteRun)])
        let busy = try scene.worker(on: group, [])
        try await busy.listens()
        try await scene.send("long")
        try await eventually("the step") { scene.log("long") == "begun\n" }
        try await scene.send("job")
        try await eventually("its deferred request") { !scene.deferred.isEmpty }
        try volume.answer(["\(operation) .worker/waiting/* done:ENOENT *"])
        let other = try scene.worker("worker-02", on: group)
        #expect(try await other.end() == .code(0))
        #expect(scene.result("job")["status"] == "success")
        #expect(scene.runs("job") == 1)
        try scene.openGate()
        #expect(try await busy.end() == .code(0))
        #expect(scene.deferred.isEmpty && scene.claims.isEmpty)
      }
    }
  }

  @Test func everyRenameAndRemovalMayBeAnsweredTwice() async throws {
    try await Scene.play { scene in
      let rules = ["rename .worker/*", "rename job/results*", "unlink .worker/*"].map { "\($0) done:ENOENT *" }
      try await NetworkVolume.showing(shared(scene).folder, at: scene.jobs, in: scene, rules: rules) { volume in
        try scene.job("job", steps: ["echo $JOB_ATTEMPT"])
        let results = try await scene.results()
        for run in 1...3 {
          let worker = try scene.worker([])
          try await worker.listens()
          try await scene.send("job", ["requestId": .string("r\(run)")])
          #expect(try await worker.end() == .code(0))
          #expect(scene.result("job")["requestId"] == .string("r\(run)"))
          #expect(scene.result("job")["status"] == "success")
          #expect(scene.log("job") == "1\n")
        }
        try await results.messages(3)
        #expect(scene.claims.isEmpty)
        #expect(scene.text("job", "results.previous/step_0.log") == "1\n")
        #expect(volume.answers.contains { $0.hasPrefix("rename .worker/") })
        #expect(volume.answers.contains { $0.hasPrefix("rename job/results") })
      }
    }
  }

  /// SMB renames no folder in which this host has a file open.
  @Test func resultsThatCannotBeRenamedGiveWayFileByFile() async throws {
    try await Scene.play { scene in
      let rules = ["rename job/results EACCES *", "rename job/results/out EACCES *"]
      try await NetworkVolume.showing(shared(scene).folder, at: scene.jobs, in: scene, rules: rules) { volume in
        try scene.job("job", steps: ["mkdir out && echo $RUN >out/$RUN"])
        for run in ["r1", "r2", "r3"] {
          let worker = try scene.worker(on: group, ["--lease", "1s"])
          try await worker.listens()
          try await scene.send("job", ["requestId": .string(run), "env": ["RUN": .string(run)]])
          #expect(try await worker.end() == .code(0), "\(worker.log)")
          #expect(scene.result("job")["requestId"] == .string(run))
          #expect(scene.result("job")["status"] == "success", "\(worker.log)")
          let out = scene.jobs.appending("job/results/out")
          #expect(try FileManager.default.contentsOfDirectory(atPath: out.string) == [run])
        }
        let previous = scene.jobs.appending("job/results.previous/out")
        #expect(try FileManager.default.contentsOfDirectory(atPath: previous.string) == ["r2"])
        #expect(volume.answers.contains { $0.hasPrefix("rename job/results/out") })
      }
    }
  }

  /// Somebody holds a file so that it cannot even be renamed: the earlier results stay whole, for the next request.
  @Test func resultsThatCannotBeMovedStayWhole() async throws {
    try await Scene.play { scene in
      let rules = ["rename job/results EACCES *", "rename job/results/made EACCES *"]
      try await NetworkVolume.showing(shared(scene).folder, at: scene.jobs, in: scene) { volume in
        try scene.job("job", steps: ["echo $RUN >made"])
        for (run, status) in [("r1", "success"), ("r2", "error"), ("r3", "success")] {
          try volume.answer(run == "r2" ? rules : [])
          let worker = try scene.worker(on: group, ["--lease", "1s"])
          let results = try await scene.results()
          try await worker.listens()
          try await scene.send("job", ["requestId": .string(run), "env": ["RUN": .string(run)]])
          let answer = try await results.message { $0.json["requestId"] == .string(run) }
          #expect(answer.json["status"] == .string(status), "\(worker.log)")
          try await worker.end()
          let last = run == "r2" ? "r1" : run
          #expect(scene.result("job")["requestId"] == .string(last))
          let made = try String(contentsOfFile: scene.jobs.appending("job/results/made").string, encoding: .utf8)
          #expect(made == "\(last)\n")
        }
      }
    }
  }

  /// The claim that exists is the worker's own, and is incomplete.
  @Test func claimThatIsSaidToBeThereAlreadyLosesNothing() async throws {
    try await Scene.play { scene in
      let rules = ["create .worker/claims/* done:EEXIST 1"]
      try await NetworkVolume.showing(shared(scene).folder, at: scene.jobs, in: scene, rules: rules) { volume in
        try scene.job("job", steps: [.string(scene.noteRun)])
        let worker = try scene.worker(["--lease", "1s"])
        try await worker.listens()
        try await scene.send("job")
        #expect(try await worker.end() == .code(0))
        #expect(!volume.answers.isEmpty)
        #expect(scene.result("job")["status"] == "success")
        #expect(scene.runs("job") == 1)
      }
    }
  }

  // MARK: Errors that say nothing

  @Test(arguments: ["EIO", "ETIMEDOUT", "EACCES"]) func errorIsNoReasonToGiveAJobUp(_ error: String) async throws {
    try await Scene.play { scene in
      try await NetworkVolume.showing(shared(scene).folder, at: scene.jobs, in: scene) { volume in
        try scene.job("job", steps: [.string("\(scene.noteRun); echo begun; \(scene.waitForGate)")])
        let worker = try scene.worker(["--lease", "2s"])
        try await worker.listens()
        try await scene.send("job")
        try await eventually("the step") { scene.log("job") == "begun\n" }
        try volume.answer(["getattr .worker/claims/* \(error) 3", "opendir .worker/claims \(error) 3"])
        try await eventually("the errors") { volume.answers.count == 6 }
        try scene.openGate()
        #expect(try await worker.end() == .code(0))
        #expect(scene.result("job")["status"] == "success")
        #expect(scene.result("job")["attempt"] == 1)
        #expect(scene.runs("job") == 1)
      }
    }
  }

  @Test func workerThatCannotTouchItsClaimEndsItsStepWithinALease() async throws {
    try await Scene.play { scene in
      try await NetworkVolume.showing(shared(scene).folder, at: scene.jobs, in: scene) { volume in
        try scene.job("job", steps: [.string("\(scene.noteRun); echo begun; sleep 1000")])
        let results = try await scene.results()
        let worker = try scene.worker(["--lease", "6s", "--max-attempts", "1"])
        try await worker.listens()
        try await scene.send("job")
        try await eventually("the step") { scene.log("job") == "begun\n" }
        try volume.answer(["touch .worker/claims/job.1.json EIO *"])
        #expect(try await worker.end() == .code(0))
        #expect(worker.log.contains("the claim could not be touched"))
        let result = scene.result("job")
        #expect(result["status"] == "error")
        #expect(result["reason"] == "lapsed")
        #expect(result["attempt"] == 1)
        #expect((result["timing"]["runMs"].number ?? .infinity) < 6000)
        #expect(try await results.message().json["status"] == "error")
        #expect(scene.claims.isEmpty)
      }
    }
  }

  // MARK: Two hosts

  /// FUSE can serve a file system that takes times from the host; here the two hosts' clocks differ by two minutes.
  @Test(arguments: [120, -120]) func livingWorkerIsNotTakenOverByAHostWithAnotherClock(_ seconds: Int) async throws {
    try await Scene.play { scene in
      let (folder, second) = shared(scene)
      try await NetworkVolume.showing(folder, at: scene.jobs, in: scene) { _ in
        let rules = ["touch", "write", "create"].map { "clock \($0) \(seconds)" }
        try await NetworkVolume.showing(folder, at: second, in: scene, rules: rules) { _ in
          try scene.job("job", steps: [.string("\(scene.noteRun); echo begun; \(scene.waitForGate)")])
          let first = try scene.worker(["--lease", "2s"])
          try await first.listens()
          try await scene.send("job")
          try await eventually("the step") { scene.log("job") == "begun\n" }
          for _ in 1...5 {
            let other = try scene.worker("worker-02", ["-j", second.string, "--lease", "2s", "--idle-timeout", "1s"])
            #expect(try await other.end() == .code(0))
          }
          let other = try scene.worker("worker-02", ["-j", second.string, "--lease", "2s", "--idle-timeout", "5s"])
          #expect(try await other.end() == .code(0))
          #expect(scene.claims == ["job.1.json"])
          #expect(first.process.end == nil)
          #expect(scene.runs("job") == 1)

          // Now the worker is dead. Processes that live for less than a lease find that out one after the other.
          try await first.kill()
          try scene.openGate()
          try await eventually("a takeover") {
            let other = try scene.worker("worker-02", ["-j", second.string, "--lease", "2s", "--idle-timeout", "1s"])
            #expect(try await other.end() == .code(0))
            return scene.result("job")["attempt"] == 2
          }
          #expect(scene.result("job")["workerId"] == "worker-02")
        }
      }
    }
  }

  /// A fault of the volume is not the sender's: nothing is answered, and the request comes again.
  @Test(arguments: ["open job/job.json", "read job/job.json", "opendir job"])
  func jobThatCannotBeReadIsNotRejected(_ call: String) async throws {
    try await Scene.play { scene in
      try await NetworkVolume.showing(shared(scene).folder, at: scene.jobs, in: scene) { volume in
        try scene.job("job", steps: [.string(scene.noteRun)])
        let results = try await scene.results()
        let worker = try scene.worker([])
        try await worker.listens()
        try volume.answer(["\(call) EIO *"])
        try await scene.send("job")
        #expect(try await worker.end() == .code(74))
        #expect(results.messages.isEmpty)
        try volume.answer([])
        #expect(try await scene.worker([]).end() == .code(0))
        #expect(scene.result("job")["status"] == "success")
        #expect(scene.runs("job") == 1)
      }
    }
  }

  @Test func claimThatIsLateOnDiskBeginsNothingBesideItsSuccessor() async throws {
    try await Scene.play { scene in
      let (folder, second) = shared(scene)
      let rules = ["fsync .worker/claims/job.1.json hold:6 1"]
      try await NetworkVolume.showing(folder, at: scene.jobs, in: scene, rules: rules) { _ in
        try await NetworkVolume.showing(folder, at: second, in: scene) { _ in
          try scene.job("job", steps: [.string("\(scene.noteRun); echo attempt $JOB_ATTEMPT")])
          let results = try await scene.results()
          let first = try scene.worker(["--lease", "1s"])
          try await first.listens()
          try await scene.send("job")
          try await eventually("its claim") { scene.claims == ["job.1.json"] }
          let other = try scene.worker("worker-02", ["-j", second.string, "--lease", "1s"])
          #expect(try await other.end() == .code(0))
          // The worker finds its request answered, publishes the result again, and waits for the next.
          try await first.says("the request was answered before")
          first.send(SIGTERM)
          #expect(try await first.end() == .code(0))
          #expect(scene.result("job")["attempt"] == 2)
          #expect(scene.log("job") == "attempt 2\n")
          #expect(scene.runs("job") == 1)
          #expect(results.messages.allSatisfy { $0.json["attempt"] == 2 })
          #expect(scene.claims.isEmpty && scene.deferred.isEmpty)
        }
      }
    }
  }
}
