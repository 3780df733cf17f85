import Foundation
import SystemPackage
import TestSupport
import Testing

/// A sample of `Tests/every-call.py`, which tests every system call of a job.
@Suite struct EveryCallTests {
  /// The action, the kind of request, and the calls.
  struct Sample: CustomTestStringConvertible {
    let fault: String
    let kind: String
    let points: [String]

    var testDescription: String { "\(fault), \(kind)" }
  }

  @Test(
    .enabled(if: isTraceable, "needs Linux on x86_64, where the tracer is at home"),
    .enabled(if: Checkout.hasProgram("python3"), "needs python3"),
    arguments: [
      Sample(fault: "kill", kind: "keyed", points: ["--every", "41", "--offset", "20"]),
      Sample(fault: "freeze", kind: "keyless", points: ["--every", "53", "--offset", "31"]),
      Sample(fault: "late", kind: "signed", points: []),
      Sample(fault: "error=EIO", kind: "keyed", points: ["--every", "37", "--offset", "5"]),
      Sample(fault: "kill", kind: "deferring", points: ["--every", "97", "--offset", "60"]),
      Sample(fault: "freeze", kind: "deferred", points: ["--every", "151", "--offset", "40"]),
    ])
  func requestHasItsResultWhereverItsWorkerIsDisturbed(_ sample: Sample) async throws {
    try await Scene.play(.down) { scene in
      let script = Checkout.root.pushing(FilePath("Tests/every-call.py")).string
      let options = ["--do", sample.fault, "--kind", sample.kind, "--parallel", "5", "--lease", "3"]
      let run = try scene.start(
        installed("python3"), [script, "--worker", try WorkerProcess.executable.string] + options + sample.points,
        name: "every-call")
      let end = try await run.end(within: .seconds(600))
      #expect(end == .code(0), "\(run.output)\n\(run.errors)")
    }
  }
}

#if arch(x86_64)
  private let isTraceable = true
#else
  private let isTraceable = false
#endif
