import Jobs
import TestSupport
import Testing

@testable import Volume

struct AttemptTraceTests {
  private func trace(_ lines: [String], attempt: Int = 1, steps: Int? = 2) throws -> AttemptTrace? {
    let claim = ClaimRecord(
      id: try JobID("job"), attempt: attempt, worker: "w", process: .current,
      envelope: Envelope(payload: "{}", topic: "", requestId: RequestID("key")))
    return AttemptTrace(lines.map { Array($0.utf8) }, of: claim, steps: steps)
  }

  private func line(_ event: String, _ second: Int, _ more: String = "", id: String = "job", attempt: Int = 1) -> String
  {
    #"{"event":"\#(event)","time":"2026-01-01T00:00:0\#(second).000Z","id":"\#(id)","attempt":\#(attempt)\#(more)}"#
  }

  private func time(_ second: Int) -> Timestamp? { Timestamp("2026-01-01T00:00:0\(second).000Z") }

  @Test func phaseIsThatOfTheLastLine() throws {
    let lines = [
      line("claimed", 1), line("started", 2), line("step", 3, #","step":0"#), line("step", 4, #","step":1"#),
    ]
    let phases = try (0...4).map { try trace(Array(lines.prefix($0)))?.phase }
    #expect(phases == [nil, .staging, .running, .running, .ending])
    #expect(try (0...4).map { try trace(Array(lines.prefix($0)))?.step } == [nil, nil, 0, 1, nil])
    let last = try #require(try trace(lines))
    #expect(last.claimed == time(1) && last.since == time(4))
  }

  @Test func otherJobsAndAttemptsAndWhatIsNoLineDoNotCount() throws {
    let lines = [
      "cut", line("claimed", 1), line("started", 2), line("taken-over", 3, attempt: 2), line("started", 4, id: "other"),
      #"{"event":"step","time":"2026-01-01T00:00:05.000Z","id":"job","attempt":2,"step":9223372036854775807}"#, "{",
    ]
    #expect(try trace(lines)?.phase == .running)
    #expect(try trace(Array(lines.prefix(5)), attempt: 2)?.phase == .staging)
    #expect(try trace(lines, attempt: 3) == nil)
  }
}
