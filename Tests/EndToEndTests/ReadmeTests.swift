import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct ReadmeTests {
  @Test(
    .enabled(if: Checkout.hasProgram("python3"), "needs python3"),
    .enabled(if: Checkout.hasProgram("unshare") && Checkout.hasProgram("ip"), "needs unshare, and ip of iproute2"))
  func commandsOfTheReadmeDoWhatTheReadmeSays() async throws {
    try await Scene.play(.down) { scene in
      let run = try scene.start(
        installed("python3"),
        [Checkout.root.pushing(FilePath("Tests/readme.py")).string, try WorkerProcess.executable.string],
        name: "readme")
      let end = try await run.end(within: .seconds(600))
      // 77 means that there are no network namespaces here, as its output says.
      #expect(end == .code(0) || end == .code(77), "\(run.output)\n\(run.errors)")
    }
  }
}
