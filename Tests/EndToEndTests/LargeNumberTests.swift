import SystemPackage
import TestSupport
import Testing

/// Inode numbers that need all of their 64 bits, as on GlusterFS.
@Suite(.enabled(if: NetworkVolume.isPossible, Comment(rawValue: NetworkVolume.demand)))
struct LargeNumberTests {
  @Test(arguments: ["0x8000000000000000", "0xffffffff00000000"])
  func jobIsFollowedToItsEndWhereFilesHaveLargeNumbers(_ number: String) async throws {
    try await Scene.play { scene in
      let disk = scene.root.appending("disk")
      try await NetworkVolume.showing(disk, at: scene.jobs, in: scene, rules: ["inodes \(number)"]) { _ in
        let worker = try scene.worker()
        try await worker.listens()
        let folder = try scene.folder("job", ["steps": ["echo output; echo x > new; exit 7"]], ["file": "x"])
        let submit = try scene.submit(folder)
        #expect(try await submit.end() == .code(7), "\(submit.errors)")
        #expect(submit.output == "output\n")
        for command in [["logs", "job"], ["status", "job"], ["jobs"]] {
          #expect(try await scene.run(command + ["-j", scene.jobs.string]).end == .code(0))
        }
        #expect(try await worker.end() == .code(0))
      }
    }
  }
}
