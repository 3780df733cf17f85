import Testing

@testable import Jobs

struct CommandAnswerTests {
  @Test func answerIsReadAsItIsWritten() throws {
    let id = try #require(WorkerID("worker-01", host: ""))
    var answer = CommandAnswer(.later, to: .drain, of: id)
    answer.state = .busy
    answer.status = WorkerStatus(.busy, of: id)
    #expect(CommandAnswer(payload: try answer.encoded()) == answer)
  }

  @Test func refusalSaysWhy() throws {
    let id = try #require(WorkerID("worker-01", host: ""))
    let text = String(decoding: try CommandAnswer(.refused, to: nil, of: id, error: "why").encoded(), as: UTF8.self)
    #expect(text.contains(#""error":"why","outcome":"refused""#))
    #expect(!text.contains("command"))
  }

  @Test(arguments: ["", "{}", #"{"workerId":"w","outcome":"perhaps","time":""}"#])
  func whatIsNoAnswerIsNone(_ payload: String) {
    #expect(CommandAnswer(payload: Array(payload.utf8)) == nil)
  }
}
