import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// A host that can make no workspace must not spoil the jobs of a fleet.
@Suite struct HostWithoutWorkspaceTests {
  private let group = "$share/workers/jobs/pending"

  /// Another program has removed the folder, as a cleaner of temporary files does, or a step has.
  @Test(arguments: ["", "/.worker"])
  func jobOfAWorkerWhoseFolderIsGoneIsLeftToAnother(_ removed: String) async throws {
    try await Scene.play { scene in
      try scene.job("job", steps: [.string(scene.noteRun)])
      let results = try await scene.results()
      let first = try scene.worker("one", on: group, ["--jobs", "0"])
      try await first.listens()
      try FileManager.default.removeItem(atPath: scene.workspaces.string + removed)
      try await scene.send("job")
      #expect(try await first.end() == .code(73), "\(first.log)")
      #expect(first.log.contains("the workspaces folder cannot be used: opening"), "\(first.log)")
      #expect(first.log.contains("No such file or directory"), "\(first.log)")
      #expect(scene.deferred.count == 1 && scene.claims.isEmpty && results.messages.isEmpty)

      #expect(try await scene.worker("two", on: group).end() == .code(0))
      #expect(try await results.message().json["status"] == "success")
      #expect(scene.result("job")["workerId"] == "two")
      #expect(scene.runs("job") == 1)
      #expect(scene.deferred.isEmpty)
    }
  }

  /// A signed request begins once, and that is on the other host, though a second copy of it comes first.
  @Test func signedRequestIsLeftToAnother() async throws {
    try await Scene.play { scene in
      let key = try await scene.key()
      try scene.job("job", steps: ["false"])
      let results = try await scene.results()
      let first = try scene.worker("one", on: group, ["--jobs", "0"] + key.arguments)
      try await first.listens()
      try FileManager.default.removeItem(atPath: scene.workspaces.string)
      let request = try key.request("job", ["steps": [.string(scene.noteRun)]])
      try await scene.broker.publish("jobs/pending", request)
      #expect(try await first.end() == .code(73), "\(first.log)")
      try await scene.broker.makeSession("two", on: group)
      try await scene.broker.publish("jobs/pending", request)
      #expect(try await scene.worker("two", on: group, key.arguments).end() == .code(0))
      #expect(try await results.message().json["status"] == "success")
      #expect(scene.runs("job") == 1)
    }
  }

  /// No attempt is used up by a host that cannot begin it.
  @Test func laterAttemptKeepsItsNumber() async throws {
    // Nobody knows any more that a worker made the workspace of the dead one.
    try await Scene.play(leaving: [.workspaces]) { scene in
      try scene.job("job", steps: [.string("\(scene.noteRun); echo begun; [ $JOB_ATTEMPT = 2 ] || sleep 1000")])
      let results = try await scene.results()
      let arguments = ["--lease", "1s", "--max-attempts", "2"]
      let dead = try scene.worker("dead", on: group, arguments)
      try await dead.listens()
      try await scene.send("job")
      try await eventually("the step") { scene.log("job") == "begun\n" }
      let first = try scene.worker("one", on: group, arguments + ["--jobs", "0"])
      try await first.listens()
      try FileManager.default.removeItem(atPath: scene.workspaces.appending(".worker").string)
      try await dead.kill()
      #expect(try await first.end() == .code(73), "\(first.log)")
      #expect(scene.claims == ["job.1.json"])
      #expect(try await scene.worker("two", on: group, arguments).end() == .code(0))
      #expect(try await results.message().json["status"] == "success")
      #expect(scene.result("job")["attempt"] == 2)
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can mount a small file system"))
  func workerOnAFullDiskTakesNoJob() async throws {
    try await Scene.play { scene in
      try await withTmpfs(of: "64k", at: scene.workspaces) {
        try scene.job("job", steps: [.string(scene.noteRun)])
        try await scene.broker.makeSession("one", on: group)
        try await scene.send("job")
        let filler = scene.workspaces.appending("filler")
        _ = try? scene.write(String(repeating: "x", count: 1 << 20), filler)
        let full = try scene.worker("one", on: group)
        #expect(try await full.end() == .code(73), "\(full.log)")
        #expect(full.log.contains("No space left on device"), "\(full.log)")
        #expect(scene.claims.isEmpty && scene.runs("job") == 0)

        try FileManager.default.removeItem(atPath: filler.string)
        #expect(try await scene.worker("one", on: group).end() == .code(0))
        #expect(scene.result("job")["status"] == "success")
        #expect(scene.workspacesLeft.isEmpty)
      }
    }
  }
}
