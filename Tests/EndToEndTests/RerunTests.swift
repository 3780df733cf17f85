import Foundation
import SystemPackage
import TestSupport
import Testing

/// A job that its sender sends once more: as it is, with other files, or under another id.
@Suite struct RerunTests {
  @Test func retryRunsAFinishedJobAgain() async throws {
    try await Scene.play { scene in
      try scene.worker("worker-01", on: "jobs/pending", ["--jobs", "2"])
      let folder = try scene.folder("job", ["steps": ["echo $SAID > said; echo run $SAID; exit 3"]])
      let submit = try scene.submit(folder, ["--env", "SAID=first"])
      #expect(try await submit.end() == .code(3))
      let retry = try scene.client(["retry", "job", "--env", "SAID=second", "-j", scene.jobs.string])
      #expect(try await retry.end() == .code(3), "\(retry.errors)")
      #expect(retry.output == "run second\n")
      #expect(scene.text("job", "results/said") == "second\n")
      #expect(scene.text("job", "results.previous/said") == "first\n")
    }
  }

  @Test func retryOfAnotherFolderSaysWhichFilesRun() async throws {
    try await Scene.play { scene in
      try scene.worker("worker-01", on: "jobs/pending", ["--jobs", "2"])
      let folder = try scene.folder("job", ["steps": ["echo first"]])
      let submit = try scene.submit(folder)
      #expect(try await submit.end() == .code(0))
      let retry = try scene.submit(folder, ["--retry"])
      #expect(try await retry.end() == .code(0))
      #expect(retry.errors.contains("job job runs with its files on the volume, not with those in \(folder)"))
    }
  }

  @Test func retryIsForFinishedJobsOnly() async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: ["true"])
      let pending = try scene.client(["retry", "job", "-j", scene.jobs.string])
      #expect(try await pending.end() == .code(65))
      #expect(pending.errors.contains("job job has no result"))
      let unknown = try scene.client(["retry", "other", "-j", scene.jobs.string])
      #expect(try await unknown.end() == .code(66))
      #expect(unknown.errors.contains("there is no job other"))
    }
  }

  @Test func editedFolderReplacesTheOneOnTheVolume() async throws {
    try await Scene.play { scene in
      try scene.worker("worker-01", on: "jobs/pending", ["--jobs", "2"])
      let folder = try scene.folder("job", ["steps": ["cat text; cp text out"]], ["text": "old\n", "gone": "x"])
      let first = try scene.submit(folder)
      #expect(try await first.end() == .code(0))
      try scene.write("new\n", folder.appending("text"))
      try FileManager.default.removeItem(atPath: folder.appending("gone").string)
      let refused = try scene.submit(folder)
      #expect(try await refused.end() == .code(73))
      #expect(refused.errors.contains("--replace") && refused.errors.contains("mqtt-fs-worker retry job"))
      let second = try scene.submit(folder, ["--replace"])
      #expect(try await second.end() == .code(0), "\(second.errors)")
      #expect(second.output == "new\n")
      #expect(scene.text("job", "results.previous/out") == "old\n")
      let files = scene.volume.filter { !$0.hasSuffix("/") && !$0.hasPrefix("job/results") }
      #expect(files == ["job/job.json", "job/text"])
      #expect(scene.volume.allSatisfy { $0.hasPrefix("job/") }, "\(scene.volume)")
    }
  }

  @Test func folderIsNotReplacedWhileAWorkerHasTheJob() async throws {
    try await Scene.play { scene in
      try scene.worker()
      let folder = try scene.folder("job", ["steps": ["echo begun", scene.held]])
      let first = try scene.submit(folder)
      try await first.prints("begun\n")
      try scene.write("x", folder.appending("more"))
      let second = try scene.submit(folder, ["--replace"])
      #expect(try await second.end() == .code(75))
      #expect(second.errors.contains("a worker has job job"))
      #expect(scene.text("job", "more") == nil)
      try scene.release()
      #expect(try await first.end() == .code(0))
    }
  }

  @Test func freshIDLeavesTheOldJobAlone() async throws {
    try await Scene.play { scene in
      try scene.worker()
      try scene.job("job", steps: ["echo theirs"])
      let submit = try scene.submit(try scene.folder("job", ["steps": ["echo $JOB_ID"]]), ["--new-id"])
      #expect(try await submit.end() == .code(0))
      #expect(submit.output.hasPrefix("job-") && submit.errors.contains("job \(submit.output.dropLast())\n"))
      #expect(scene.result("job") == .null)
    }
  }
}
