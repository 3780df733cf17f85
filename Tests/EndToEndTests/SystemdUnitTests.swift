import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// The template unit in examples/systemd.
@Suite struct SystemdUnitTests {
  private static let analyze = FilePath("/usr/bin/systemd-analyze")
  private static let unit = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
    .appending("examples/systemd/mqtt-fs-worker@.service")

  @Test(.enabled(if: access(SystemdUnitTests.analyze.string, X_OK) == 0, "systemd-analyze is not here"))
  func templateIsUnderstoodByThisSystemd() async throws {
    try await Scene.play(.down) { scene in
      // The unit must name an existing executable.
      let text = try String(contentsOfFile: Self.unit.string, encoding: .utf8)
      let command = "ExecStart=/usr/bin/mqtt-fs-worker"
      #expect(text.contains("\(command)\n"))
      let copy = scene.files.appending("mqtt-fs-worker@.service")
      let executable = try WorkerProcess.executable
      try scene.write(text.replacingOccurrences(of: command, with: "ExecStart=\(executable)"), copy)
      let verification = try scene.start(Self.analyze, ["verify", "--man=no", copy.string], name: "verify")
      #expect(try await verification.end() == .code(0))
      // systemd-analyze only warns about settings that it does not know.
      #expect(verification.errors == "", "\(verification.errors)")
      #expect(verification.output == "", "\(verification.output)")
    }
  }
}
