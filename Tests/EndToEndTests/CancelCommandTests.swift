import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Volume

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
      let unknown = try scene.client(["cancel", "other", "-j", scene.jobs.string])
      #expect(try await unknown.end() == .code(66))
      #expect(unknown.errors.contains("no worker has job other"))
      try scene.job("job", steps: ["true"])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      try await worker.end()
      let finished = try scene.client(["cancel", "job", "-j", scene.jobs.string])
      #expect(try await finished.end() == .code(66))
      #expect(finished.errors.contains("no worker has job job; it is finished"))
      #expect(finished.errors.contains("--next cancels that"))
    }
  }

  /// The broker has the request, and nothing on the volume tells of it.
  @Test func nextRunOfAFinishedJobIsCanceled() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string(scene.noteRun)])
      let worker = try scene.worker(["--jobs", "1"])
      try await worker.listens()
      try await scene.send("job", ["requestId": "first"])
      try await worker.end()
      try await scene.send("job", ["requestId": "second"])
      let cancel = try scene.client(["cancel", "job", "--next", "-j", scene.jobs.string])
      #expect(try await cancel.end() == .code(0), "\(cancel.errors)")
      #expect(cancel.errors.contains("the next request"), "\(cancel.errors)")
      #expect(try await scene.worker(["--jobs", "1"]).end() == .code(0))
      #expect(scene.result("job")["status"] == "canceled" && scene.result("job")["requestId"] == "second")
      #expect(scene.runs("job") == 1)
      #expect(marks(scene).isEmpty)
    }
  }

  /// The broker keeps the dead worker's session for a while, so the message seems to reach somebody; the mark is for
  /// whoever takes the job over.
  @Test func jobOfADeadWorkerIsAnsweredAsCanceledByTheNext() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); echo begun; sleep 1000")])
      let first = try scene.worker(["--lease", "1s"])
      try await first.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      try await first.kill()
      let cancel = try scene.client(["cancel", "job", "-j", scene.jobs.string])
      #expect(try await cancel.end() == .code(0), "\(cancel.errors)")
      let results = try await scene.results()
      #expect(try await scene.worker("worker-02", ["--lease", "1s"]).end() == .code(0))
      #expect(try await results.message().json["status"] == "canceled")
      #expect(scene.result("job")["error"] == "the job was canceled, and its worker died before it ended it")
      #expect(scene.result("job")["attempt"] == 2)
      #expect(scene.runs("job") == 1)
      #expect(marks(scene).isEmpty && scene.claims.isEmpty)
    }
  }

  /// A mark that comes too late for a run must not cancel a later one with the same key.
  @Test func markOfAJobThatEndsByItselfGoesWithIt() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string("echo begun; \(scene.waitForGate)")])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job", ["requestId": "nightly"])
      try await eventually("the step") { scene.log("job") == "begun\n" }
      _ = try CancelMark.put(JobID("job"), of: "nightly", by: "somebody", in: JobsDirectory(scene.jobs))
      #expect(marks(scene).count == 1)
      try scene.openGate()
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(marks(scene).isEmpty)
    }
  }

  @Test func dryRunGetsNoMark() async throws {
    try await Scene.play { scene in
      let payload = scene.files.appending("payload.json")
      try scene.job("job", steps: [.string("echo begun; \(scene.waitForGate)")])
      try scene.write(#"{"id":"job"}"#, payload)
      let worker = try scene.worker(["--dry-run", "--payload", payload.string])
      try await eventually("the step") { scene.log("job") == "begun\n" }
      let cancel = try scene.client(["cancel", "job", "-j", scene.jobs.string])
      #expect(try await cancel.end() == .code(75), "\(cancel.errors)")
      #expect(cancel.errors.contains("did not receive the request"), "\(cancel.errors)")
      #expect(marks(scene).isEmpty)
      try scene.openGate()
      #expect(try await worker.end() == .code(0))
    }
  }

  /// The files of `.worker/canceled`.
  private func marks(_ scene: Scene) -> Set<String> { scene.listing(scene.jobs.pushing(".worker/canceled")) }

  /// A job whose request only the broker has, and which somebody has canceled.
  private func canceledBeforeItBegan(_ scene: Scene) async throws {
    try await scene.broker.makeSession("worker-01", on: "jobs/pending")
    try scene.job("job", steps: ["echo run", "echo again"])
    try await scene.send("job")
    let cancel = try scene.client(["cancel", "job", "-j", scene.jobs.string])
    #expect(try await cancel.end() == .code(0))
    #expect(cancel.errors.contains("job job is pending: the worker that takes it answers it as canceled"))
    let status = try await scene.run(["status", "job", "-j", scene.jobs.string])
    #expect(status.output.contains("canceled:   by "), "\(status.output)")
  }

  @Test func pendingJobIsAnsweredAsCanceledOnce() async throws {
    try await Scene.play { scene in
      try await canceledBeforeItBegan(scene)
      let results = try await scene.results()
      let first = try scene.worker()
      #expect(try await first.end() == .code(0))
      #expect(try await results.message().json["status"] == "canceled")
      let result = scene.result("job")
      #expect(result["error"] == "the job was canceled before a worker took it")
      #expect(result["reason"] == "canceled" && result["exitCode"] == 143)
      #expect(result["steps"].elements.map { $0["status"].string } == ["skipped", "skipped"])
      #expect(marks(scene).isEmpty)
      // The next request is another one.
      let second = try scene.worker()
      try await second.listens()
      try await scene.send("job")
      #expect(try await second.end() == .code(0))
      #expect(scene.result("job")["status"] == "success" && scene.log("job") == "run\n")
    }
  }

  /// At each point the next worker answers, and the mark goes.
  @Test(arguments: ["claimed", "acknowledged", "published", "released"])
  func killedWorkerChangesNothing(_ point: String) async throws {
    try await Scene.play { scene in
      try await canceledBeforeItBegan(scene)
      let killed = try scene.worker(stopAt: point)
      try await killed.reachesCheckpoint()
      try await killed.kill()
      if point != "released" {
        let next = try scene.worker()
        try await next.end()
      }
      #expect(scene.result("job")["status"] == "canceled")
      #expect(marks(scene).isEmpty)
    }
  }

  @Test func queuedJobIsAnsweredAsCanceled() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker("worker-01", on: "$share/g/jobs/pending", ["--jobs", "2"])
      try await worker.listens()
      try scene.job("long", steps: ["echo begun", scene.held])
      try await scene.send("long")
      try await eventually("the step") { scene.log("long") == "begun\n" }
      try scene.job("job", steps: ["echo run"])
      try await scene.send("job")
      try await eventually("the deferred request") { scene.deferred.count == 1 }
      let cancel = try scene.client(["cancel", "job", "--wait", "--json", "-j", scene.jobs.string])
      try await eventually("the mark") { marks(scene).count == 1 }
      try scene.release()
      #expect(try await cancel.end() == .code(0))
      #expect(try JSON(Data(cancel.output.utf8))["status"] == "canceled")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("long")["status"] == "success")
      #expect(scene.log("job").isEmpty && marks(scene).isEmpty)
    }
  }

  @Test func interruptedSubmissionOfAFolderInPlaceIsCanceled() async throws {
    try await Scene.play { scene in
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      let submit = try scene.submit(try scene.job("job", steps: ["echo run"]))
      try await submit.says("the broker keeps the request")
      submit.send(SIGTERM)
      #expect(try await submit.end() == .code(130))
      #expect(submit.errors.contains("the job is canceled: the worker that takes it answers so"))
      let worker = try scene.worker()
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "canceled" && marks(scene).isEmpty)
    }
  }

  /// The mark is for the next request, and a rejected one is it.
  @Test func rejectedRequestTakesTheMarkWithIt() async throws {
    try await Scene.play { scene in
      try await canceledBeforeItBegan(scene)
      try scene.write("{", scene.jobs.pushing("job/job.json"))
      let results = try await scene.results()
      let worker = try scene.worker()
      #expect(try await results.message().json["status"] == "rejected")
      try scene.job("job", steps: ["echo run"])
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success" && marks(scene).isEmpty)
    }
  }

  /// Its first request was rejected, so nothing waited that could be canceled.
  @Test func jobThatIsSentAgainAfterItWasCanceledRuns() async throws {
    try await Scene.play { scene in
      let results = try await scene.results()
      try await scene.worker("worker-01", on: "jobs/pending", ["--jobs", "0"]).listens()
      try scene.write("{", try scene.job("job", steps: ["true"]).appending("job.json"))
      try await scene.send("job")
      #expect(try await results.message().json["status"] == "rejected")
      let status = try await scene.run(["status", "job", "-j", scene.jobs.string])
      #expect(
        status.output.contains("state:      pending") && status.output.contains("rejected:   by worker-01 at "),
        "\(status.output)")
      let cancel = try scene.client(["cancel", "job", "-j", scene.jobs.string])
      #expect(try await cancel.end() == .code(0), "\(cancel.errors)")
      #expect(marks(scene) == ["job.json"])
      let submit = try scene.submit(try scene.folder("job", ["steps": ["echo run"]]), ["--replace"])
      #expect(try await submit.end() == .code(0), "\(submit.errors)")
      #expect(scene.result("job")["status"] == "success" && scene.log("job") == "run\n")
      #expect(marks(scene) == ["job.json"])
      let end = try await scene.run(["status", "job", "-j", scene.jobs.string])
      #expect(!end.output.contains("rejected"), "\(end.output)")
    }
  }

  /// Both of its requests are with the broker, and the second is exempt from the first cancellation.
  @Test func eachCancellationIsForAllThatWasSentBeforeIt() async throws {
    try await Scene.play { scene in
      try await canceledBeforeItBegan(scene)
      let volume = ["job", "-j", scene.jobs.string]
      let again = try scene.client(["submit", "-d", scene.jobs.appending("job").string, "-j", scene.jobs.string])
      #expect(try await again.end() == .code(0), "\(again.errors)")
      let cancel = try scene.client(["cancel"] + volume)
      #expect(try await cancel.end() == .code(0), "\(cancel.errors)")
      let results = try await scene.results()
      let worker = try scene.worker(["--jobs", "2"])
      for message in try await results.messages(2) { #expect(message.json["status"] == "canceled") }
      #expect(try await worker.end() == .code(0))
      #expect(scene.log("job").isEmpty && marks(scene).isEmpty)
    }
  }

  /// The id is used again before a worker gets the withdrawn request.
  @Test func withdrawnRequestDoesNotRunTheNextFolderOfItsID() async throws {
    try await Scene.play { scene in
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      let submit = try scene.submit(try scene.folder("job", ["steps": ["echo first"]]))
      try await submit.says("the broker keeps the request")
      submit.send(SIGTERM)
      #expect(try await submit.end() == .code(130))
      #expect(submit.errors.contains("the job is withdrawn"))
      try scene.job("job", steps: ["echo second"])
      let worker = try scene.worker()
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "canceled" && scene.log("job").isEmpty && marks(scene).isEmpty)
    }
  }
}
