import Foundation
import SystemPackage
import TestSupport
import Testing

/// A sample of what `Tests/every-call.py` does at every system call of a job.
@Suite struct EveryCallTests {
  @Test(
    .enabled(if: isTraceable, "needs Linux on x86_64, where the tracer is at home"),
    .enabled(if: Checkout.hasProgram("python3"), "needs python3"),
    arguments: ["kill", "freeze", "late"])
  func requestHasItsResultWhateverBefallsItsWorkerAtACall(_ fault: String) async throws {
    try await Scene.play(.down) { scene in
      // Every call that late has; of the others some forty calls apart.
      let sample = fault == "late" ? ["--every", "1"] : ["--every", "41", "--offset", "20"]
      let run = try scene.start(
        installed("python3"),
        [
          Checkout.root.pushing(FilePath("Tests/every-call.py")).string, "--kind", "keyed", "--do", fault, "--parallel",
          "4",
          "--worker", try WorkerProcess.executable.string,
        ] + sample,
        name: "every-call")
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
