import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Jobs that cannot be sent, or that the user no longer wants.
@Suite struct SubmitEndTests {
  @Test func idThatIsTakenIsRefusedAndTheFolderThereUntouched() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["echo theirs"])
      let before = scene.volume
      let submit = try scene.submit(try scene.folder("job", ["steps": ["echo mine"]], ["file": "x"]))
      #expect(try await submit.end() == .code(73))
      #expect(submit.errors.contains("already exists") && submit.errors.contains("--id"))
      #expect(scene.volume == before)
    }
  }

  @Test func folderOnTheVolumeIsRunAgainInItsPlace() async throws {
    try await Scene.play { scene in
      let folder = try scene.job("job", steps: ["echo run; date > file"])
      for _ in 1...2 {
        try scene.worker()
        let submit = try scene.submit(folder)
        #expect(try await submit.end() == .code(0))
        // Only the log of its own run, not that of the last one.
        #expect(submit.output == "run\n")
      }
      #expect(scene.volume.contains("job/results.previous/result.json"))
    }
  }

  @Test func folderInItsPlaceIsNotCopiedSoNothingCanBeExcluded() async throws {
    try await Scene.play { scene in
      let folder = try scene.job("job", steps: ["true"])
      let submit = try scene.submit(folder, ["--exclude", "*.iso"])
      #expect(try await submit.end() == .code(64))
      #expect(submit.errors.contains("is in place on the volume"))
      let shown = try scene.submit(folder, ["--dry-run"])
      #expect(try await shown.end() == .code(0))
      #expect(shown.output == "nothing is copied: the folder is in place on the volume\n")
    }
  }

  /// As `submit .` with the usual jobs folder, ./jobs.
  @Test func jobsFolderWithinTheFolderIsNotCopiedIntoItself() async throws {
    try await Scene.play { scene in
      try scene.write(#"{"steps": ["find . -type f | LC_ALL=C sort"]}"#, scene.root.appending("job.json"))
      try scene.write("x", scene.jobs.appending("other").appending("job.json"))
      try scene.write("x", scene.root.appending("src").appending("jobs").appending("file"))
      let arguments = ["--id", "job", "--exclude", "/*", "--exclude", "!/src/", "--exclude", "!/jobs/"]
      let shown = try scene.submit(scene.root, arguments + ["--dry-run"])
      #expect(try await shown.end() == .code(0))
      #expect(shown.output.contains("src/jobs/file") && !shown.output.contains("other"), "\(shown.output)")
      try scene.worker()
      let submit = try scene.submit(scene.root, arguments)
      #expect(try await submit.end() == .code(0), "\(submit.errors)")
      #expect(submit.output == "./job.json\n./src/jobs/file\n")
      let itself = try scene.submit(scene.jobs, ["--id", "all", "--step", "true"])
      #expect(try await itself.end() == .code(64))
      #expect(itself.errors.contains("is the jobs folder"))
    }
  }

  /// A worker reads job.json on the volume, whether it stages it or not.
  @Test func jobsDefinitionIsCopiedWhateverIsExcluded() async throws {
    try await Scene.play { scene in
      let definition: JSON = [
        "steps": ["find . -type f; echo $SAID $FROM_HERE"], "stage": ["exclude": ["/*", "!/src/"]],
      ]
      let folder = try scene.folder("job", definition, ["src/a": "x", "other": "y"])
      try scene.worker()
      let submit = try scene.submit(
        folder, ["--env", "SAID=word", "--env", "FROM_HERE"], environment: ["FROM_HERE": "here"])
      #expect(try await submit.end() == .code(0), "\(submit.errors)")
      #expect(submit.output == "./src/a\nword here\n")
      let odd = try scene.submit(folder, ["--env", "1A=x"])
      #expect(try await odd.end() == .code(64))
      #expect(odd.errors.contains("--env: \"1A\" cannot name a variable: it begins with a digit"), "\(odd.errors)")
      let unset = try scene.submit(folder, ["--env", "NOT_THERE"])
      #expect(try await unset.end() == .code(64))
      #expect(unset.errors.contains("no such variable"))
    }
  }

  @Test func jobIsSentUnderAnotherID() async throws {
    try await Scene.play { scene in
      try scene.worker()
      let submit = try scene.submit(try scene.folder("not an id", ["steps": ["echo $JOB_ID"]]), ["--id", "job-7"])
      #expect(try await submit.end() == .code(0))
      #expect(submit.output == "job-7\n")
    }
  }

  @Test func jobThatIsNotValidIsNotSent() async throws {
    try await Scene.play { scene in
      let submit = try scene.submit(try scene.folder("job", ["steps": []]))
      #expect(try await submit.end() == .code(65))
      #expect(submit.errors.contains(#""steps" is empty"#))
      #expect(scene.volume.isEmpty)
    }
  }

  @Test func jobThatAWorkerRejectsIsToldSo() async throws {
    try await Scene.play { scene in
      // A volume other than the worker's.
      let other = scene.files.appending("other")
      try FileManager.default.createDirectory(atPath: other.string, withIntermediateDirectories: true)
      let worker = try scene.worker()
      let submit = try scene.submit(try scene.folder("job", ["steps": ["true"]]), ["-j", other.string])
      #expect(try await submit.end() == .code(65))
      #expect(submit.errors.contains("rejected: job-not-found"))
      #expect(worker.process.end == nil)
    }
  }

  @Test func requestThatTheBrokerForbidsLeavesNothingBehind() async throws {
    try await Scene.play(broker: .acl("user guest\ntopic read jobs/#")) { scene in
      let submit = try scene.submit(try scene.folder("job", ["steps": ["true"]]), ["-n", "guest"])
      #expect(try await submit.end() == .code(77))
      #expect(submit.errors.contains("'jobs/pending'"))
      #expect(scene.volume.isEmpty)
    }
  }

  @Test func interruptCancelsTheJobAndItsEndIsAwaited() async throws {
    try await Scene.play { scene in
      let steps: JSON = ["echo begun; trap 'echo ended; exit 9' TERM; while :; do sleep 0.05; done"]
      try scene.worker()
      let submit = try scene.submit(try scene.folder("job", ["steps": steps]))
      try await submit.prints("begun\n")
      submit.send(SIGINT)
      #expect(try await submit.end() == .code(130))
      #expect(submit.output.hasPrefix("begun\n") && submit.output.hasSuffix("ended\n"))
      #expect(scene.result("job")["status"] == "canceled")
    }
  }

  @Test func secondInterruptLeavesTheJobAlone() async throws {
    try await Scene.play { scene in
      let steps: JSON = ["echo begun; trap '' TERM; \(scene.held.string ?? "")"]
      try scene.worker()
      let submit = try scene.submit(try scene.folder("job", ["steps": steps]))
      try await submit.prints("begun\n")
      submit.send(SIGINT)
      try await submit.says("asking its worker to end the job")
      submit.send(SIGINT)
      #expect(try await submit.end() == .code(130))
      #expect(scene.claims == ["job.1.json"])
      try scene.release()
      try await scene.awaitResult("job")
    }
  }

  /// As timeout(1) sends them: to the command, and then to its group.
  @Test func twoSignalsAtOnceAreOne() async throws {
    try await Scene.play { scene in
      let steps: JSON = ["echo begun; trap 'echo ended; exit 9' TERM; while :; do sleep 0.05; done"]
      try scene.worker()
      let submit = try scene.submit(try scene.folder("job", ["steps": steps]))
      try await submit.prints("begun\n")
      submit.send(SIGTERM)
      submit.send(SIGINT)
      #expect(try await submit.end() == .code(130))
      #expect(
        submit.errors.contains("asking its worker to end the job") && !submit.errors.contains("leaving"),
        "\(submit.errors)")
      #expect(scene.result("job")["status"] == "canceled")
    }
  }

  @Test func jobThatNoWorkerHasIsTakenBack() async throws {
    try await Scene.play { scene in
      try await scene.broker.makeSession("worker-01", on: "jobs/pending")
      let submit = try scene.submit(try scene.folder("job", ["steps": ["true"]], ["file": "x"]))
      try await submit.says("the broker keeps the request")
      submit.send(SIGTERM)
      #expect(try await submit.end() == .code(130))
      #expect(submit.errors.contains("the job is withdrawn"))
      #expect(scene.volume.isEmpty)
      // The broker still has the request, which gets its one answer.
      let results = try await scene.results()
      try scene.worker()
      #expect(try await results.message().json["status"] == "rejected")
    }
  }

  /// The broker may have the request although it did not say so.
  @Test func requestWithoutAnAnswerIsNotCalledWithdrawn() async throws {
    let broker = try ScriptedBroker { packet in
      switch packet.kind {
      case .publish: .bytes([])
      case .subscribe: .bytes([0x90, 6] + packet.identifier + [0, 1, 1, 1])
      default: .bytes(packet.usualAnswer)
      }
    }
    try await Scene.play(.down) { scene in
      let folder = try scene.folder("job", ["steps": ["true"]])
      let submit = try scene.start(
        WorkerProcess.executable, ["submit", folder.string, "--no-volume", "-u", "mqtt://127.0.0.1:\(broker.port)"],
        name: "submit")
      try await eventually("the request") { broker.packets.contains { $0.kind == .publish } }
      submit.send(SIGTERM)
      #expect(try await submit.end() == .code(130))
      #expect(submit.errors.contains("the broker has the request and cannot return it"), "\(submit.errors)")
    }
  }

  @Test func interruptBeforeThereIsABrokerEndsIt() async throws {
    try await Scene.play(.down) { scene in
      let submit = try scene.submit(try scene.folder("job", ["steps": ["true"]]))
      try await submit.says("next try in")
      submit.send(SIGINT)
      #expect(try await submit.end() == .code(130))
      #expect(scene.volume.isEmpty)
    }
  }

  /// The time limit is shorter than the usual patience with a broker.
  @Test func timeoutWithoutABrokerEndsIt() async throws {
    try await Scene.play(.down) { scene in
      let submit = try scene.submit(try scene.folder("job", ["steps": ["true"]]), ["--timeout", "1s"])
      #expect(try await submit.end() == .code(69))
      #expect(submit.errors.contains("nothing of job job is sent or copied"), "\(submit.errors)")
      #expect(scene.volume.isEmpty)
    }
  }

  @Test func interruptWhileTheBrokerIsAwayEndsIt() async throws {
    try await Scene.play { scene in
      let submit = try scene.submit(try scene.folder("job", ["steps": ["true"]]))
      try await submit.says("no worker listens")
      try await scene.broker.stop()
      try await submit.says("next try in")
      submit.send(SIGINT)
      #expect(try await submit.end() == .code(130))
      #expect(submit.errors.contains("the job is withdrawn"))
      #expect(scene.volume.isEmpty)
    }
  }

  @Test func jobThatTakesTooLongEndsWithTheStatusOfATimeout() async throws {
    try await Scene.play { scene in
      let worker = try scene.worker()
      try await worker.listens()
      let submit = try scene.submit(
        try scene.folder("job", ["steps": ["echo begun; sleep 600"]]), ["--timeout", "3s"])
      #expect(try await submit.end() == .code(124))
      #expect(submit.output == "begun\n")
      #expect(scene.result("job")["status"] == "timeout")
    }
  }

  @Test func jobThatNoWorkerTakesInTimeIsWithdrawn() async throws {
    try await Scene.play { scene in
      let submit = try scene.submit(try scene.folder("job", ["steps": ["true"]]), ["--timeout", "500ms"])
      #expect(try await submit.end() == .code(124))
      #expect(submit.errors.contains("no worker has taken it within 500ms: the job is withdrawn"))
      #expect(scene.volume.isEmpty)
    }
  }

  @Test func jobThatRunsForAnotherRequestIsNotMistakenForIts() async throws {
    try await Scene.play { scene in
      let folder = try scene.job("job", steps: ["echo theirs", scene.held])
      try scene.worker("worker-01", on: "$share/g/jobs/pending")
      let first = try scene.submit(folder)
      try await first.prints("theirs\n")
      let second = try scene.submit(folder)
      #expect(try await second.end() == .code(75))
      #expect(second.errors.contains("for another request"))
      try scene.release()
      #expect(try await first.end() == .code(0))
    }
  }

  @Test func withoutACommonVolumeOnlyStepsCanBeSent() async throws {
    try await Scene.play { scene in
      let full = try scene.folder("full", ["steps": ["true"]], ["file": "x"])
      let refused = try scene.client(["submit", full.string, "--no-volume"])
      #expect(try await refused.end() == .code(65))
      #expect(refused.errors.contains("has more files than job.json (file)"))
      let bare = try scene.folder(
        "bare", ["steps": [["run": "exit $CODE", "env": ["CODE": "6"], "name": "end"]], "env": ["X": "1"]])
      try scene.worker()
      let sent = try scene.client(["submit", bare.string, "--no-volume"])
      #expect(try await sent.end() == .code(6))
      #expect(scene.result("bare")["steps"][0]["name"] == "end")
    }
  }
}
