import Foundation
import Testing

@testable import Jobs

struct StepResultTests {
  @Test func stepThatWasNeverStartedHasNoExitCodeAndNoLog() throws {
    let step = StepResult(index: 1, command: "a/b", status: .skipped, exitCode: nil, durationMs: 0, log: nil)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let json = try encoder.encode(step)
    #expect(
      String(decoding: json, as: UTF8.self) == """
        {"command":"a/b","durationMs":0,"endedProcesses":0,"exitCode":null,"index":1,"killed":false,"log":null,\
        "logBytes":0,"logDropped":0,"status":"skipped","timedOut":false}
        """)
    #expect(try JSONDecoder().decode(StepResult.self, from: json) == step)
  }
}
