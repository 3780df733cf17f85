import Testing

@testable import Jobs

struct ResultFormTests {
  private func result() throws -> JobResult {
    let step = StepResult(
      index: 0, command: String(repeating: "x", count: 1000), status: .success, exitCode: 0, durationMs: 1, log: nil)
    let artifact = Artifact(path: WorkspacePath("a"), size: 1, mode: "0644", sha256: "ab", change: .new)
    return JobResult(
      jobId: try JobID("job"), status: .success, exitCode: 0, timing: JobTiming(start: "s", end: "e", durationMs: 1),
      steps: [step, step], attempt: 1, workerId: "w", workerVersion: "1", host: "h", artifacts: [artifact, artifact],
      deleted: [WorkspacePath("b")])
  }

  @Test func eachFormTakesLessRoomAndSaysWhatIsMissing() throws {
    let whole = try result()
    #expect(whole.inForm(.whole) == whole)
    var form = JobResult.Form.whole
    var size = try whole.encoded().count
    while let shorter = form.shorter {
      let result = whole.inForm(shorter)
      #expect(result.artifacts.isEmpty && result.deleted.isEmpty)
      #expect(
        result.skipped.first?.reason.contains("2 artifacts, 1 deleted and 0 skipped files are not listed") == true)
      #expect(result.status == whole.status && result.workerVersion == whole.workerVersion)
      if form != .whole { #expect(try result.encoded().count < size) }
      (form, size) = (shorter, try result.encoded().count)
    }
    #expect(form == .withoutSteps)
  }
}
