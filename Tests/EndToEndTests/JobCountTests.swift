import Glibc
import SystemPackage
import TestSupport
import Testing

/// How many jobs a process runs, and how long it waits for one.
@Suite struct JobCountTests {
  @Test func oneProcessDoesAsManyJobsAsItIsAskedTo() async throws {
    try await Scene.play { scene in
      let ids = (1...4).map { "job_\($0)" }
      for id in ids { try scene.job(id, steps: ["echo $PPID; ls -a; env | grep MQTT_FS || true"]) }
      let results = try await scene.results()
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      for id in ids { try await scene.send(id) }
      let worker = try scene.worker(["--jobs", "3"])
      #expect(try await worker.end() == .code(0))
      try await results.messages(3)
      #expect(results.messages.map { $0.json["id"].string } == ["job_1", "job_2", "job_3"])
      for id in ids.dropLast() { #expect(scene.log(id) == "\(worker.pid)\n.\n..\njob.json\n") }
      try await scene.broker.session(of: "worker-01") { $0?.queued == 1 }
      #expect(try await scene.worker().end() == .code(0))
    }
  }

  @Test func zeroJobsIsWithoutEndUntilItIsStopped() async throws {
    try await Scene.play { scene in
      let ids = (1...5).map { "job_\($0)" }
      for id in ids { try scene.job(id, steps: ["echo $PPID"]) }
      let results = try await scene.results()
      let worker = try scene.worker(on: "$share/workers/jobs/pending", ["--jobs", "0"])
      try await worker.listens()
      for id in ids { try await scene.send(id) }
      try await results.messages(5)
      #expect(worker.process.end == nil)
      #expect(Set(ids.map { scene.log($0) }) == ["\(worker.pid)\n"])
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
      #expect(results.messages.count == 5)
    }
  }

  @Test func cancelationEndsAJobAndNotTheNext() async throws {
    try await Scene.play { scene in
      try scene.job("canceled", steps: ["echo ready; sleep 600"])
      try scene.job("next", steps: ["echo $PPID"])
      let results = try await scene.results()
      let worker = try await scene.listener(["--jobs", "2"])
      try await scene.send("canceled")
      try await eventually("the step") { scene.log("canceled") == "ready\n" }
      try await scene.send("next")
      try await scene.broker.publish("jobs/cancel/canceled", "")
      #expect(try await worker.end() == .code(0))
      try await results.messages(2)
      #expect(results.messages.map { $0.json["status"] } == ["canceled", "success"])
      #expect(scene.log("next") == "\(worker.pid)\n")
    }
  }

  /// The process gets the signal to stop between two jobs, and does not lose it.
  @Test func signalToStopIsNotLostBetweenJobs() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let results = try await scene.results()
      let worker = try scene.worker(["--jobs", "0"], stopAt: "released")
      try await worker.listens()
      try await scene.send("job")
      try await worker.reachesCheckpoint()
      try await results.message()
      worker.send(SIGTERM)
      worker.thaw()
      #expect(try await worker.end() == .code(0))
      #expect(worker.process.end == .code(0))
    }
  }

  @Test func everyJobCanBeCanceled() async throws {
    try await Scene.play { scene in
      let results = try await scene.results()
      let worker = try await scene.listener(["--jobs", "3"])
      for id in ["one", "two", "three"] {
        try scene.job(id, steps: ["echo ready; sleep 600"])
        try await scene.send(id)
        try await eventually("the step") { scene.log(id) == "ready\n" }
        try await scene.broker.publish("jobs/cancel/\(id)", "")
        try await results.message(on: "jobs/results/\(id)")
      }
      #expect(try await worker.end() == .code(0))
      #expect(results.messages.map { $0.json["status"] } == ["canceled", "canceled", "canceled"])
    }
  }

  @Test(arguments: ["jobs/pending", "$share/workers/jobs/pending"])
  func killSwitchIsHeededBetweenJobs(_ filter: String) async throws {
    try await Scene.play { scene in
      try scene.job("first", steps: ["echo begun", .string(scene.waitForGate)])
      try scene.job("second", steps: [.string(scene.noteRun)])
      let results = try await scene.results()
      let worker = try scene.worker(on: filter, ["--jobs", "2", "--lease", "1s"])
      try await worker.listens()
      try await scene.send("first")
      try await eventually("the step") { scene.log("first") == "begun\n" }
      try scene.write("", scene.jobs.appending("KILLSWITCH"))
      try scene.openGate()
      try await results.message(on: "jobs/results/first")
      try await worker.says("KILLSWITCH is there")
      try await scene.send("second")
      try await scene.broker.session(of: "worker-01") { $0?.queued == 1 }
      #expect(scene.claims.isEmpty && scene.deferred.isEmpty && scene.runs("second") == 0)
      try scene.remove(scene.jobs.appending("KILLSWITCH"))
      try await results.message(on: "jobs/results/second")
      #expect(try await worker.end() == .code(0))
      #expect(scene.runs("second") == 1)
    }
  }

  /// A job leaves no descriptors or threads in the process.
  @Test(.enabled(if: geteuid() == 0, "others may not look into a worker"))
  func descriptorsAndThreadsDoNotBecomeMore() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker(on: "$share/workers/jobs/pending", ["--jobs", "0"])
      try await worker.listens()
      let process = FilePath("/proc/\(worker.pid)")
      func descriptors() -> Int { scene.listing(process.appending("fd")).count }
      var before = 0
      for block in 0..<3 {
        let ids = try scene.jobs(10, "job-\(block)-")
        try await scene.send(all: ids)
        try await scene.finish(ids)
        if block == 0 { before = descriptors() }
      }
      // The worker still cleans up after it has published the last result.
      try await eventually("as few descriptors as after ten jobs") { descriptors() <= before + 2 }
      worker.send(SIGTERM)
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test(arguments: [["--idle-timeout", "4s"], ["--idle-timeout", "4s", "--jobs", "0"]])
  func workerWithoutAJobLeavesAfterTheIdleTimeout(_ arguments: [String]) async throws {
    try await Scene.play { scene in
      let start = ContinuousClock.now
      let worker = try scene.worker(arguments)
      try await worker.listens()
      #expect(try await worker.end() == .code(0))
      #expect(ContinuousClock.now - start >= .seconds(4))
      try await scene.broker.logged("Received DISCONNECT from worker-01")
    }
  }

  /// The idle timeout begins again after each job.
  @Test func idleTimeoutEndsAWorkerThatHadJobs() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["sleep 2.5"])
      let worker = try scene.worker(["--idle-timeout", "2s", "--jobs", "0"])
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
    }
  }

  /// The worker waits 5 seconds for a missing folder, which is no idle time: the broker has more.
  @Test func rejectedRequestIsNoIdleTime() async throws {
    try await Scene.play { scene in
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      try scene.job("job", steps: ["true"])
      for id in ["missing", "job"] { try await scene.send(id) }
      let worker = try scene.worker(["--idle-timeout", "2s", "--jobs", "0"])
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
    }
  }

  /// The idle timeout passes while the worker decides about a request. It does not apply to the time after that job.
  @Test func idleTimeoutThatRanOutAsAJobCameDoesNotEndTheWorker() async throws {
    try await Scene.play { scene in
      for id in ["first", "second"] { try scene.job(id, steps: ["true"]) }
      let results = try await scene.results()
      let worker = try scene.worker(["--idle-timeout", "15s", "--jobs", "2"], stopAt: "received")
      let start = ContinuousClock.now
      try await worker.listens()
      try await scene.send("first")
      try await worker.reachesCheckpoint()
      try await eventually("the timeout") { ContinuousClock.now - start > .seconds(16) }
      worker.thaw()
      try await results.message(on: "jobs/results/first")
      try await scene.send("second")
      try await worker.reachesCheckpoint()
      worker.thaw()
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("second")["status"] == "success")
    }
  }

  @Test func idleTimeoutDoesNotEndARunningJob() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["sleep 4.5; echo done"])
      let worker = try scene.worker(["--idle-timeout", "4s"])
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.log("job") == "done\n")
    }
  }
}
