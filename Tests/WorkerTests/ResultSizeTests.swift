import Testing

@testable import FileTree
@testable import Jobs
@testable import Worker

@Suite struct ResultSizeTests {
  @Test func likelySizeIsEnough() throws {
    let result = JobResult(
      jobId: try JobID("job"), status: .success, exitCode: 0, timing: JobTiming(start: "s", end: "e", durationMs: 1),
      steps: [], attempt: 1, workerId: "w", workerVersion: "1", host: "h")
    let changed = (0..<500).map {
      ChangedEntry(path: RelativePath("a/folder/file-\($0)"), kind: .file, change: .new, size: 1, mode: 0o644)
    }
    var listed = result
    listed.artifacts = changed.map {
      Artifact(
        path: WorkspacePath($0.path), size: .max, mode: "0644", sha256: String(repeating: "a", count: 64),
        change: .modified,
        storedAs: WorkspacePath("_artifacts/\($0.path)"))
    }
    #expect(try JobResult.likelySize([], Changes(changed: changed)) > listed.encoded().count)
  }
}
