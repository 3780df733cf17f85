import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Entries on the volume that somebody else made, in the places of the workers' own.
@Suite struct HostileVolumeTests {
  @Test func jobThatIsCalledLikeTheKillSwitchHaltsNobody() async throws {
    try await Scene.play { scene in
      let rejected = try await scene.broker.collect("jobs/rejected")
      _ = try await scene.broker.collect("jobs/results/#")
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.broker.publish("jobs/pending", #"{"id": "KILLSWITCH", "steps": ["true"]}"#)
      try await rejected.message()
      try scene.job("job", steps: ["true"])
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      #expect(!scene.listing(scene.jobs).contains("KILLSWITCH/"))
    }
  }

  @Test(arguments: ["folder", "link", "FIFO", "file without rights", "file of 17 MiB"])
  func claimThatIsNoneStopsNoWorker(_ kind: String) async throws {
    try await Scene.play(leaving: .claims) { scene in
      let path = scene.jobs.appending(".worker/claims/other.1.json")
      try scene.write("", path.removingLastComponent().appending(".made"))
      try make(kind, at: path, scene)
      try scene.job("job", steps: ["true"])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      #expect(scene.result("job")["status"] == "success")
      chmod(path.string, 0o600)
      unlink(path.string)
    }
  }

  private func make(_ kind: String, at path: FilePath, _ scene: Scene) throws {
    switch kind {
    case "folder": try scene.write("", path.appending("file"))
    case "link": symlink("/etc/passwd", path.string)
    case "FIFO": mkfifo(path.string, 0o666)
    case "file without rights":
      try scene.write("{}", path)
      chmod(path.string, 0)
    default:
      try scene.write("", path)
      truncate(path.string, 17 << 20)
    }
  }

  /// open(2) of a FIFO waits for the other side.
  @Test func clockThatIsAFIFOHoldsNobodyUp() async throws {
    try await Scene.play { scene in
      try scene.write("", scene.jobs.appending(".worker/clocks/.made"))
      mkfifo(scene.jobs.appending(".worker/clocks/worker-01").string, 0o666)
      try scene.job("job", steps: ["true"])
      let worker = try scene.worker()
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
    }
  }

  @Test(arguments: ["clocks/worker-01", "members/.worker-01.json.new", "members/worker-01.json"])
  func fileBehindALinkIsNotWritten(_ place: String) async throws {
    try await Scene.play { scene in
      let victim = scene.files.appending("victim")
      try scene.write("keep", victim)
      var before = stat()
      #expect(stat(victim.string, &before) == 0)
      let link = scene.jobs.appending(".worker").pushing(FilePath(place))
      try scene.write("", link.removingLastComponent().appending(".made"))
      symlink(victim.string, link.string)
      try scene.job("job", steps: ["true"])
      let worker = try scene.worker(on: "$share/workers/jobs/pending")
      try await worker.listens()
      try await scene.send("job")
      #expect(try await worker.end() == .code(0))
      var after = stat()
      #expect(stat(victim.string, &after) == 0)
      #expect(try String(contentsOfFile: victim.string, encoding: .utf8) == "keep")
      #expect(after.st_mtim.tv_sec == before.st_mtim.tv_sec && after.st_mtim.tv_nsec == before.st_mtim.tv_nsec)
    }
  }
}
