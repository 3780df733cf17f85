import Testing

@testable import Jobs

struct JobRequestTests {
  @Test func idAloneIsARequest() throws {
    let request = try JobRequest(payload: Array(#"{"id": "job_2026_01"}"#.utf8))
    #expect(request == JobRequest(id: try JobID("job_2026_01")))
  }

  @Test func byteOrderMarkAndWhitespaceAreNotMinded() throws {
    let request = try JobRequest(payload: Array("\u{FEFF}\r\n\t { \"id\" : \"a\" } \n".utf8))
    #expect(request == JobRequest(id: try JobID("a")))
  }

  @Test func everyKeyIsRead() throws {
    let payload = #"{"id": "a", "steps": ["make"], "requestId": "r-1", "env": {"MODE": "x=\u00e9"}, "timeout": 1.5}"#
    let request = try JobRequest(payload: Array(payload.utf8))
    #expect(
      request
        == JobRequest(
          id: try JobID("a"), steps: [Step(run: "make")], requestID: "r-1", environment: ["MODE": "x=é"],
          timeout: .milliseconds(1500)))
  }

  @Test func unknownKeysAreKeptForAWarning() throws {
    let payload = #"{"foo": null, "id": "a", "steps": ["x", "y", {"run": "z", "foo": {"run": 1}}], "maxAttempts": 2}"#
    let request = try JobRequest(payload: Array(payload.utf8))
    #expect(request.unknownKeys.map(\.path) == ["foo", "steps[2].foo", "maxAttempts"])
  }

  @Test func unknownKeysCannotFloodALogOrActOnATerminal() throws {
    let many = (0..<1000).map { ", \"\\u001b[2J\($0)\": 0" }.joined()
    let request = try JobRequest(payload: Array("{\"id\": \"a\"\(many)}".utf8))
    #expect(request.unknownKeys.map(\.path) == (0..<100).map { "\\u{001B}[2J\($0)" })
  }

  @Test func largestPayloadIsTaken() throws {
    let core = Array(#"{"id": "a"}"#.utf8)
    let padding = [UInt8](repeating: 0x20, count: JobRequest.largestPayload - core.count)
    #expect(try JobRequest(payload: core + padding).id == JobID("a"))
  }

  @Test func nestingOf64IsTaken() throws {
    let deep = String(repeating: "[", count: 63) + String(repeating: "]", count: 63)
    #expect(try JobRequest(payload: Array(#"{"id": "a", "x": \#(deep)}"#.utf8)).unknownKeys.map(\.path) == ["x"])
  }
}
