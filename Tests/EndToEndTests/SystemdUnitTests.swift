import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// The units in examples.
@Suite struct SystemdUnitTests {
  private static let analyze = FilePath("/usr/bin/systemd-analyze")
  private static let examples = Checkout.root.pushing(FilePath("examples"))

  struct Unit: Sendable {
    var service: String
    var timer: String?
    /// What it starts, and where that is here; `nil` for the worker.
    var program = (name: "mqtt-fs-worker", file: String?.none)
  }

  @Test(
    .enabled(if: access(SystemdUnitTests.analyze.string, X_OK) == 0, "systemd-analyze is not here"),
    arguments: [
      Unit(service: "systemd/mqtt-fs-worker@.service"),
      Unit(service: "systemd/mqtt-fs-worker-prune.service", timer: "systemd/mqtt-fs-worker-prune.timer"),
      Unit(
        service: "cron/nightly.service", timer: "cron/nightly.timer",
        program: ("/usr/local/bin/scheduled.sh", "cron/scheduled.sh")),
      Unit(service: "notify/notify.service", program: ("/usr/local/bin/notify.py", "notify/notify.py")),
    ])
  func unitsAreUnderstoodByThisSystemd(_ unit: Unit) async throws {
    try await Scene.play(.down) { scene in
      let text = try String(contentsOfFile: path(unit.service).string, encoding: .utf8)
      let command = "ExecStart=\(unit.program.name)"
      #expect(text.contains("\(command)\n") || text.contains("\(command) "))
      // The unit must name an existing executable.
      let executable = try unit.program.file.map(path) ?? WorkerProcess.executable
      var copies = [scene.files.appending(name(unit.service))]
      try scene.write(text.replacingOccurrences(of: command, with: "ExecStart=\(executable)"), copies[0])
      if let timer = unit.timer {
        copies.append(scene.files.appending(name(timer)))
        try FileManager.default.copyItem(atPath: path(timer).string, toPath: copies[1].string)
      }
      let verification = try scene.start(
        Self.analyze, ["verify", "--man=no"] + copies.map(\.string), name: "verify")
      #expect(try await verification.end() == .code(0))
      // systemd-analyze only warns about settings that it does not know.
      #expect(verification.errors == "", "\(verification.errors)")
      #expect(verification.output == "", "\(verification.output)")
    }
  }

  private func path(_ file: String) -> FilePath { Self.examples.pushing(FilePath(file)) }

  private func name(_ file: String) -> FilePath.Component { FilePath(file).lastComponent ?? "unit" }
}
