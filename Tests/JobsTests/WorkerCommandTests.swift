import Testing

@testable import Jobs

struct WorkerCommandTests {
  @Test func cancelNamesItsJob() throws {
    let command = try WorkerCommand(payload: Array(#"{"command": "cancel", "id": "job.1", "by": "me"}"#.utf8))
    #expect(command == .cancel(try JobID("job.1")))
  }

  @Test(arguments: [
    ("", "the command is not JSON: a value is expected, not the end of the text (line 1, column 1)"),
    (
      #""cancel""#,
      #"the command is a string; an object is expected, like {"command": "health-check"} (line 1, column 1)"#
    ),
    (
      #"{"id": "a"}"#,
      #""command" is missing; it is needed, like {"command": "health-check"} (line 1, column 1)"#
    ),
    (
      #"{"command": "restart", "id": "a"}"#,
      """
      "restart" is not a command; known are "health-check", "version-report", "status-report", "config-reload", "drain", \
      "cancel" (line 1, column 13)
      """
    ),
    (#"{"command": "Drain"}"#, #""Drain" is not a command; known are "health-check", "version-report", "#),
    (
      #"{"command": "cancel"}"#,
      #""id" is missing; "cancel" needs it, like {"command": "cancel", "id": "job_2026_01"} (line 1, column 1)"#
    ),
    (#"{"command": 1, "id": "a"}"#, #""command" is 1; a string is expected, like "health-check" (line 1, column 13)"#),
    (
      #"{"command": "cancel", "id": null}"#,
      #""id" is null; a string is expected, like "job_2026_01" (line 1, column 29)"#
    ),
    (
      #"{"command": "cancel", "command": "cancel", "id": "a"}"#,
      #"the key "command" is there twice, at line 1, column 2 and at line 1, column 23; keep one"#
    ),
  ])
  func whatIsNoCommandIsRefusedWithASentence(payload: String, sentence: String) {
    let refusal = #expect(throws: InvalidInput.self) { try WorkerCommand(payload: Array(payload.utf8)) }
    #expect(refusal?.description.hasPrefix(sentence) == true, "\(refusal?.description ?? "")")
  }

  @Test func everyCommandIsReadAsItIsWritten() throws {
    let commands: [WorkerCommand] = [
      .healthCheck, .versionReport, .statusReport, .configReload, .drain, .cancel(try JobID("job.1")),
    ]
    #expect(commands.map(\.word) == WorkerCommand.Word.allCases)
    for command in commands { #expect(try WorkerCommand(payload: command.encoded) == command) }
  }

  @Test func idAgainstTheRuleIsRefused() {
    let refusal = #expect(throws: InvalidInput.self) {
      try WorkerCommand(payload: Array(#"{"command": "cancel", "id": "../a"}"#.utf8))
    }
    #expect(refusal?.description.contains(#""../a" is not a job id"#) == true)
  }

  @Test func moreThan64KiBAreRefused() {
    let payload = [UInt8](repeating: 0x20, count: (64 << 10) + 1)
    let refusal = #expect(throws: InvalidInput.self) { try WorkerCommand(payload: payload) }
    #expect(refusal?.description == "the command is 65537 bytes; at most 65536 (64 KiB) are taken")
  }
}
