import Foundation
import SystemPackage
import TestSupport
import Testing

/// A sample of what `Tests/every-call.py` does at every system call of a job: a kill at one point in some forty.
@Suite struct EveryCallTests {
  @Test(
    .enabled(if: isTraceable, "needs Linux on x86_64, where the tracer is at home"),
    .enabled(if: Checkout.hasProgram("python3"), "needs python3"))
  func requestHasItsResultWhereverItsWorkerIsKilled() async throws {
    try await Scene.play(.down) { scene in
      let script = Checkout.root.pushing(FilePath("Tests/every-call.py")).string
      let sample = ["--kind", "keyed", "--every", "41", "--offset", "20", "--parallel", "5", "--lease", "3"]
      let run = try scene.start(
        installed("python3"),
        [script, "--do", "kill", "--worker", try WorkerProcess.executable.string] + sample, name: "every-call")
      let end = try await run.end(within: .seconds(300))
      #expect(end == .code(0), "\(run.output)\n\(run.errors)")
    }
  }
}

#if arch(x86_64)
  private let isTraceable = true
#else
  private let isTraceable = false
#endif
