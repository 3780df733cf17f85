import FileTree
import Foundation
import JobWorker
import Testing

struct JobResultTests {
  @Test func resultIsReadBackAsItWasWritten() throws {
    let result = try JobResult.sample
    let json = try result.encoded()
    #expect(try JobResult(json: json) == result)
    #expect(json.last == UInt8(ascii: "\n"))
  }
}

extension JobResult {
  static var sample: JobResult {
    get throws {
      JobResult(
        jobId: try JobID("job_2026_01"), status: .failed, exitCode: 137,
        timing: JobTiming(
          start: "2026-01-31T09:30:00.125Z", end: "2026-01-31T09:30:01.500Z", durationMs: 1375, stageMs: 5, runMs: 1360,
          syncMs: 10),
        steps: [
          StepResult(
            index: 0, command: "make a/b", status: .failed, exitCode: 137, durationMs: 1360, log: "step_0.log",
            name: "build", signal: "SIGKILL", logBytes: 12, endedProcesses: 2, killed: true),
          StepResult(index: 1, command: "make test", status: .skipped, exitCode: nil, durationMs: 0, log: nil),
        ],
        error: "step 0 was killed", attempt: 2, workerId: "worker-01", workerVersion: "1.0.0", host: "a",
        artifacts: [
          Artifact(path: RelativePath("out/a.txt"), size: 3, mode: "0644", sha256: "ab", change: .new),
          Artifact(
            path: RelativePath("result.json"), size: 0, mode: Artifact.octal(0o100_755), sha256: "cd",
            change: .modified, storedAs: RelativePath("_artifacts/result.json")),
          Artifact(path: RelativePath(bytes: [0x6E, 0xE9]), size: 1, mode: "0600", sha256: nil, change: .new),
        ],
        deleted: [RelativePath("old"), RelativePath(bytes: [0xFF])],
        skipped: [SkippedPath(path: RelativePath("pipe"), reason: "a FIFO")])
    }
  }
}
