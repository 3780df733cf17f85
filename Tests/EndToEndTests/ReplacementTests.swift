import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// `submit --replace` that is killed at each of its calls that change a name: the job has one of its two folders, and its
/// results.
@Suite(.enabled(if: (try? installed("strace")) != nil, "strace is not installed"))
struct ReplacementTests {
  /// With `renameat2`, and on a file system without it (NFS).
  @Test(arguments: ["exchange", "renames"], ["renameat2", "renameat", "unlinkat", "mkdirat"])
  func killedReplacementLosesNothing(_ way: String, _ call: String) async throws {
    guard way == "exchange" || call != "renameat2" else { return }
    try await Scene.play { scene in
      let folder = try scene.folder("job", ["steps": ["true"]], ["text": "new"])
      var calls = 0
      repeat {
        try? scene.remove(scene.jobs)
        try scene.job("job", ["steps": ["true"]], ["text": "old", "results/result.json": "{}", "results/made": "made"])
        calls += 1
      } while try await isKilled(scene, folder, way, "\(call):signal=KILL:when=\(calls)")
      #expect(calls > 1, "no call was met")
    }
  }

  /// Whether the replacement was killed; it has the last word if it was not.
  private func isKilled(_ scene: Scene, _ folder: FilePath, _ way: String, _ fault: String) async throws -> Bool {
    let injections = [fault] + (way == "exchange" ? [] : ["renameat2:error=EINVAL"])
    let replacing = try scene.start(
      installed("strace"),
      ["-D", "-f", "-qq", "-o", "/dev/null"] + injections.flatMap { ["-e", "inject=\($0)"] } + [
        WorkerProcess.executable.string, "submit", folder.string, "--replace", "-j", scene.jobs.string,
      ], environment: ["MQTT_URL": scene.broker.url], name: "submit")
    try await eventually("the end of the replacement") {
      replacing.end != nil || replacing.errors.contains("no worker listens")
    }
    let isKilled = replacing.end != nil
    replacing.send(SIGKILL)
    try await replacing.end()
    let next = try await scene.run(["prune", "-y", "-j", scene.jobs.string])
    #expect(next.end == .code(0), "\(fault): \(next.errors)")
    // A copy that was not complete is of no job, and goes with the next upload.
    let files = scene.volume.filter { !$0.hasPrefix(".submit-") }
    #expect(
      files == ["job/", "job/job.json", "job/text", "job/results/", "job/results/result.json", "job/results/made"])
    let text = scene.text("job", "text")
    #expect(isKilled ? ["old", "new"].contains(text) : text == "new", "\(fault): \(text ?? "none")")
    #expect(scene.text("job", "results/made") == "made")
    // A hidden file is swept away by workers.
    #expect(scene.claims.filter { !$0.hasPrefix(".") }.isEmpty, "\(fault)")
    return isKilled
  }
}
