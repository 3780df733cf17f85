import Glibc
import SystemPackage
import TestSupport
import Testing

/// Mounts in a workspace during staging.
@Suite(.enabled(if: NetworkVolume.isPossible, "\(NetworkVolume.demand)"))
struct MountDuringStagingTests {
  /// Over a folder that is being copied, and over the workspace itself.
  @Test(arguments: ["sub", "."]) func nothingIsCopiedIntoItOrRemovedFromIt(_ place: String) async throws {
    try await Scene.play(leaving: .workspaces) { scene in
      let precious = try scene.precious()
      let place = scene.workspaces.appending("job").pushing(FilePath(place)).lexicallyNormalized()
      let rules = ["opendir job/sub/later hold:5"]
      let volume = scene.root.appending("volume")
      try await NetworkVolume.showing(volume, at: scene.jobs, in: scene, rules: rules) { volume in
        try scene.job(
          "job", steps: ["true"],
          ["sub/first": "x", "sub/later/file": "x", "sub/later/deep/er/file": "x", "sub/later/deep/more": "x"])
        let worker = try scene.worker(["--lease", "60s"])
        try await worker.listens()
        try await scene.send("job")
        try await eventually("a copy that is held") {
          !volume.answers.isEmpty && scene.listing(scene.workspaces).contains("job/sub/")
        }
        try await unmounting(place) {
          #expect(mount(precious.string, place.string, "", UInt(MS_BIND), nil) == 0)
          let end = try await worker.end()
          #expect(end == .code(0))
          let result = scene.result("job")
          #expect(result["status"] == "success", "\(result)")
          #expect(result["artifacts"].elements.isEmpty)
          #expect(scene.listing(precious) == Scene.preciousListing)
        }
        let next = try scene.worker([])
        try await next.listens()
        #expect(scene.workspacesLeft.isEmpty)
        #expect(scene.listing(precious) == Scene.preciousListing)
      }
    }
  }
}
