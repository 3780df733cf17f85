import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Mounts in a workspace are neither exported nor removed.
@Suite(.enabled(if: geteuid() == 0, "only root can mount"))
struct MountedWorkspaceTests {
  @Test func whatAStepMountsStaysAsItIs() async throws {
    try await Scene.play(leaving: .workspaces) { scene in
      let precious = try scene.precious()
      defer { scene.unmountAll() }
      try scene.job(
        "job",
        steps: [
          "mkdir -p sub/mnt && mount --bind \"$PRECIOUS\" sub/mnt && touch bound && mount --bind \"$PRECIOUS/file\" bound",
          "echo mine > sub/own",
        ], ["kept": "k"])
      let result = try await scene.outcome(environment: ["PRECIOUS": precious.string])
      #expect(result["status"] == "success")
      #expect(result["artifacts"].elements.map { $0["path"] } == ["sub/own"])
      #expect(result["skipped"].elements.map { $0["path"] } == ["bound", "sub/mnt"])
      #expect(result["skipped"][0]["reason"].text.contains("mount"))
      #expect(scene.listing(precious) == Scene.preciousListing)
      let left: Set<String> = [".worker/", ".worker/job.lock", "job/", "job/bound", "job/sub/", "job/sub/mnt/"]
      #expect(scene.listing(scene.workspaces).filter { !$0.contains("mnt/") || $0 == "job/sub/mnt/" } == left)

      // The next worker logs the workspace and skips it; the same job runs in another one.
      let next = try scene.worker([], environment: ["PRECIOUS": precious.string])
      try await next.listens()
      try await next.says("the workspace \(scene.workspaces)/job is left behind")
      try await scene.send("job")
      #expect(try await next.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(scene.listing(precious) == Scene.preciousListing)

      // Without the mounts, the next start removes the workspaces.
      scene.unmountAll()
      let last = try scene.worker([])
      try await last.listens()
      #expect(scene.workspacesLeft.isEmpty)
      #expect(scene.listing(precious) == Scene.preciousListing)
    }
  }

  @Test func mountOverTheWorkspaceItselfIsNotEmptied() async throws {
    try await Scene.play(leaving: .workspaces) { scene in
      let precious = try scene.precious()
      defer { scene.unmountAll() }
      try scene.job("job", steps: ["echo mine > own; mount --bind \"$PRECIOUS\" \"$JOB_WORKSPACE\""])
      let result = try await scene.outcome(environment: ["PRECIOUS": precious.string])
      #expect(result["status"] == "success")
      #expect(result["artifacts"].elements.map { $0["path"] } == ["own"])
      try await scene.worker([]).listens()
      #expect(scene.listing(precious) == Scene.preciousListing)
    }
  }

  @Test func mountInAJobsFolderIsListedAndNotStaged() async throws {
    try await Scene.play { scene in
      let precious = try scene.precious()
      let folder = try scene.job("job", steps: ["ls > names"], ["data/own": "x", "data/mnt/.keep": ""])
      try await unmounting(folder.appending("data/mnt")) {
        #expect(mount(precious.string, folder.appending("data/mnt").string, "", UInt(MS_BIND), nil) == 0)
        let result = try await scene.outcome()
        #expect(result["status"] == "success")
        #expect(result["skipped"].elements.map { $0["path"] } == ["data/mnt"])
        #expect(scene.text("job", "results/names") == "data\njob.json\nnames\n")
      }
      #expect(scene.listing(precious) == Scene.preciousListing)
    }
  }

  /// The user may mount both: a disk for workspaces, and a volume for a job's results.
  @Test func foldersThatAreMountsThemselvesWork() async throws {
    try await Scene.play { scene in
      try await withTmpfs(of: "4m", at: scene.workspaces) {
        let folder = try scene.job("job", steps: ["echo new > made"], ["sub/input": "x", "results/.keep": ""])
        try scene.remove(folder.appending("results/.keep"))
        try await withTmpfs(of: "4m", at: folder.appending("results")) {
          let result = try await scene.outcome()
          #expect(result["status"] == "success")
          #expect(scene.text("job", "results/made") == "new\n")
          #expect(scene.workspacesLeft.isEmpty)
        }
      }
    }
  }
}

/// Files that cannot be removed for another reason delay no job either.
@Suite(.enabled(if: geteuid() == 0, "only root can make a file immutable"))
struct UnremovableTests {
  @Test func immutableFileInAWorkspaceDelaysNoLaterJob() async throws {
    try await Scene.play(leaving: .workspaces) { scene in
      defer { makeMutable(scene) }
      try scene.job("job", steps: ["mkdir -p a/b && touch a/b/file a/other && chattr +i a/b/file || exit 9"])
      try scene.job("other", steps: ["true"])
      let first = try await scene.outcome()
      try #require(first["exitCode"] != 9, "the file system of the test has no immutable files")
      #expect(first["status"] == "success")
      let left: Set<String> = [".worker/", ".worker/job.lock", "job/", "job/a/", "job/a/b/", "job/a/b/file"]
      #expect(scene.listing(scene.workspaces) == left)
      // Another job, and the same job again, which gets another workspace.
      #expect(try await scene.outcome(of: "other")["status"] == "success")
      try scene.job("job", steps: ["pwd"])
      #expect(try await scene.outcome()["status"] == "success")
      #expect(scene.log("job") == "\(scene.workspaces)/job.2\n")
      #expect(scene.listing(scene.workspaces) == left)
      makeMutable(scene)
      try await scene.worker([]).listens()
      #expect(scene.workspacesLeft.isEmpty)
    }
  }

  /// An entry that is not a file among the locks belongs to no workspace, and does not affect the others.
  @Test(arguments: ["folder", "link", "fifo"]) func oddLockDelaysNobody(_ kind: String) async throws {
    try await Scene.play(leaving: .workspaces) { scene in
      let lock = scene.workspaces.appending(".worker/job.lock")
      try scene.write("precious", scene.files.appending("precious"))
      try scene.write("", scene.workspaces.appending(".worker/x"))
      switch kind {
      case "folder": try scene.write("", lock.appending("file"))
      case "link": symlink(scene.files.appending("precious").string, lock.string)
      default: mkfifo(lock.string, 0o600)
      }
      try scene.job("job", steps: ["true"])
      #expect(try await scene.outcome()["status"] == "success")
      #expect(try String(contentsOfFile: scene.files.appending("precious").string, encoding: .utf8) == "precious")
    }
  }

  @Test func earlierResultsThatCannotBeRemovedDelayNoRun() async throws {
    try await Scene.play { scene in
      defer { makeMutable(scene) }
      try scene.job("job", steps: ["echo run $(cat ../n) > made || true"])
      for run in 1...2 {
        #expect(try await scene.outcome()["status"] == "success", "\(run)")
      }
      // The folder that is moved aside next, and the one in its way.
      for folder in ["results", "results.previous"] {
        try await chattr("+i", scene.jobs.appending("job").appending(folder).appending("made"), scene)
      }
      for run in 3...6 {
        let result = try await scene.outcome()
        #expect(result["status"] == "success", "\(run)")
      }
      // Nothing that was moved aside is staged, and only files that cannot be removed are left of it.
      #expect(scene.result("job")["artifacts"].elements.map { $0["path"] } == ["made"])
      let hidden = scene.listing(scene.jobs.appending("job/.worker")).filter { $0.hasSuffix("/") }
      #expect(hidden.count == 2)
      makeMutable(scene)
      #expect(try await scene.outcome()["status"] == "success")
      #expect(!scene.volume.contains { $0.hasPrefix("job/.worker") })
    }
  }

  private func chattr(_ flag: String, _ path: FilePath, _ scene: Scene) async throws {
    let process = try scene.start(installed("chattr"), [flag, path.string], name: "chattr")
    try #require(try await process.end() == .code(0), "the file system of the test has no immutable files")
  }

  private func makeMutable(_ scene: Scene) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "chattr -R -i '\(scene.jobs)' '\(scene.workspaces)' 2>/dev/null"]
    try? process.run()
    process.waitUntilExit()
  }
}
