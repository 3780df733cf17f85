import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// A small soak test; `Tests/soak.sh` runs it at any size.
@Suite struct SoakTests {
  @Test func manyJobsSurviveWorkersThatAreKilledAllTheTime() async throws {
    try await Scene.play { scene in
      let script = FilePath(#filePath).removingLastComponent().removingLastComponent().appending("soak.sh")
      let environment = scene.environment.merging(
        [
          "MQTT_FS_WORKER": try WorkerProcess.executable.string, "TMPDIR": scene.files.string,
          "PATH": "/usr/sbin:/sbin:" + (scene.environment["PATH"] ?? ""),
        ]) { $1 }
      let soak = try scene.start(
        "/usr/bin/env", ["bash", script.string, "200", "4"], environment: environment, name: "soak")
      let end = try await soak.end(within: .seconds(600))
      #expect(end == .code(0), "\(soak.output)\(soak.errors.suffix(4000))")
    }
  }
}
