import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// The units in examples/systemd.
@Suite struct SystemdUnitTests {
  private static let analyze = FilePath("/usr/bin/systemd-analyze")
  private static let folder = Checkout.root.pushing(FilePath("examples/systemd"))

  @Test(
    .enabled(if: access(SystemdUnitTests.analyze.string, X_OK) == 0, "systemd-analyze is not here"),
    arguments: [
      ("mqtt-fs-worker@.service", nil), ("mqtt-fs-worker-prune.service", "mqtt-fs-worker-prune.timer"),
    ])
  func unitsAreUnderstoodByThisSystemd(_ service: String, _ timer: String?) async throws {
    try await Scene.play(.down) { scene in
      // The unit must name an existing executable.
      let text = try String(contentsOfFile: Self.folder.appending(service).string, encoding: .utf8)
      let command = "ExecStart=mqtt-fs-worker"
      #expect(text.contains("\(command)\n") || text.contains("\(command) "))
      var copies = [scene.files.appending(service)]
      let executable = try WorkerProcess.executable
      try scene.write(text.replacingOccurrences(of: command, with: "ExecStart=\(executable)"), copies[0])
      if let timer {
        copies.append(scene.files.appending(timer))
        try FileManager.default.copyItem(atPath: Self.folder.appending(timer).string, toPath: copies[1].string)
      }
      let verification = try scene.start(
        Self.analyze, ["verify", "--man=no"] + copies.map(\.string), name: "verify")
      #expect(try await verification.end() == .code(0))
      // systemd-analyze only warns about settings that it does not know.
      #expect(verification.errors == "", "\(verification.errors)")
      #expect(verification.output == "", "\(verification.output)")
    }
  }
}
