import Testing

@testable import Jobs

struct JobResultTests {
  @Test func resultIsReadBackAsItWasWritten() throws {
    let result = try JobResult.sample
    #expect(try JobResult(json: result.encoded()) == result)
  }

  @Test func fileIsIndentedWithSortedKeysAndANewline() throws {
    let timing = JobTiming(start: "2026-01-31T09:30:00.125Z", end: "2026-01-31T09:30:00.125Z", durationMs: 0)
    let result = JobResult(
      jobId: try JobID("a"), status: .lost, exitCode: nil, timing: timing, steps: [], error: "its worker died",
      attempt: 1, workerId: "w/1", workerVersion: "1.0.0", host: "h")
    #expect(
      String(decoding: try result.encoded(), as: UTF8.self) == """
        {
          "artifacts" : [

          ],
          "attempt" : 1,
          "deleted" : [

          ],
          "error" : "its worker died",
          "exitCode" : null,
          "host" : "h",
          "jobId" : "a",
          "schema" : 1,
          "skipped" : [

          ],
          "status" : "lost",
          "steps" : [

          ],
          "timing" : {
            "durationMs" : 0,
            "end" : "2026-01-31T09:30:00.125Z",
            "start" : "2026-01-31T09:30:00.125Z"
          },
          "workerId" : "w/1",
          "workerVersion" : "1.0.0"
        }

        """)
  }

  @Test(arguments: [
    ("", "result.json is not JSON: a value is expected, not the end of the text (line 1, column 1)"),
    (
      "{\n\"schema\": 1",
      "result.json is not JSON: a \",\" or \"}\" is expected, not the end of the text (line 2, column 12)"
    ),
    ("{\"schema\": 1}", "result.json has no \"jobId\""),
    ("{\"schema\": 1, \"jobId\": \"a\", \"status\": \"fine\"}", "result.json has a wrong \"status\": "),
    ("{\"schema\": 1, \"jobId\": \"../a\"}", "result.json has a wrong \"jobId\": \"../a\" is not a job id: "),
    ("{\"schema\": \"1\"}", "result.json has a wrong \"schema\": "),
  ])
  func whatIsNoResultIsRefusedWithASentence(text: String, sentence: String) throws {
    let refusal = try #require(throws: InvalidInput.self) { try JobResult(json: Array(text.utf8)) }
    #expect(refusal.description.hasPrefix(sentence), "\(refusal)")
  }

  @Test func placeOfAWrongValueIsNamed() throws {
    let text = String(decoding: try JobResult.sample.encoded(), as: UTF8.self)
    let wrong = text.replacing("\"index\" : 1", with: "\"index\" : \"1\"")
    let refusal = try #require(throws: InvalidInput.self) { try JobResult(json: Array(wrong.utf8)) }
    #expect(refusal.description.hasPrefix("result.json has a wrong \"steps[1].index\": "), "\(refusal)")
  }

  @Test func resultOfAnotherSchemaIsRefused() throws {
    let text = String(decoding: try JobResult.sample.encoded(), as: UTF8.self)
    let later = text.replacing("\"schema\" : 1", with: "\"schema\" : 2")
    let refusal = try #require(throws: InvalidInput.self) { try JobResult(json: Array(later.utf8)) }
    #expect(refusal.description == "result.json is of schema 2; this version reads schema 1")
  }

  @Test func resultOfAnEarlierVersionIsRead() throws {
    var result = try JobResult.sample
    (result.outputs, result.usage, result.outOfMemory) = (nil, nil, nil)
    (result.steps[0].tries, result.steps[0].usage) = (nil, nil)
    let text = String(decoding: try result.encoded(), as: UTF8.self)
    for key in ["outputs", "usage", "outOfMemory", "tries"] { #expect(!text.contains("\"\(key)\"")) }
    #expect(try JobResult(json: Array(text.utf8)) == result)
  }

  @Test func keysOfALaterVersionAreNotMinded() throws {
    let text = String(decoding: try JobResult.sample.encoded(), as: UTF8.self)
    let more = text.replacing("\"schema\" : 1", with: "\"schema\" : 1, \"more\" : {}")
    #expect(try JobResult(json: Array(more.utf8)) == JobResult.sample)
  }
}

extension JobResult {
  /// A result in which every key has a value.
  static var sample: JobResult {
    get throws {
      var result = JobResult(
        jobId: try JobID("job_2026_01"), status: .failed, exitCode: 137,
        timing: JobTiming(
          start: "2026-01-31T09:30:00.125Z", end: "2026-01-31T09:30:01.500Z", durationMs: 1375, stageMs: 5, runMs: 1360,
          syncMs: 10),
        steps: [
          StepResult(
            index: 0, command: "make a/b", status: .failed, exitCode: 137, durationMs: 1360, log: "step_0.log",
            name: "build", signal: "SIGKILL", logBytes: 12, logDropped: 3, timedOut: true, endedProcesses: 2,
            killed: true, logError: "No space left on device"),
          StepResult(index: 1, command: "make test", status: .skipped, exitCode: nil, durationMs: 0, log: nil),
        ],
        error: "step 0 was killed", attempt: 2, workerId: "worker-01", workerVersion: "1.0.0", host: "a",
        requestId: "r-1", reason: "shutdown", phase: "run",
        artifacts: [
          Artifact(path: WorkspacePath("out/é.txt"), size: 3, mode: "0644", sha256: "ab", change: .new),
          Artifact(
            path: WorkspacePath("result.json"), size: 0, mode: Artifact.octal(0o100_755), sha256: "cd",
            change: .modified, storedAs: WorkspacePath("_artifacts/result.json")),
          Artifact(
            path: WorkspacePath(bytes: [0x6E, 0xE9]), size: 1, mode: "0600", sha256: nil, change: .new,
            storedAs: WorkspacePath(bytes: [0x6F, 0xE9])),
        ],
        deleted: [WorkspacePath("old"), WorkspacePath(bytes: [0xFF])],
        skipped: [
          SkippedPath(path: WorkspacePath("pipe"), reason: "a FIFO"),
          SkippedPath(path: WorkspacePath(bytes: [0xE9]), reason: "a socket"),
        ])
      let usage = Usage(userMs: 1, systemMs: 2, maxRssBytes: 4096)
      (result.steps[0].tries, result.steps[0].usage) = (2, usage)
      (result.outputs, result.usage, result.outOfMemory) = (["version": "1.2"], usage, true)
      return result
    }
  }
}
