import Testing

@testable import Jobs

struct JobEventTests {
  private let time = "2026-01-31T09:30:00.125Z"

  @Test func eventSaysWhatHappenedToWhichJob() throws {
    let event = JobEvent(event: .accepted, id: try JobID("a"), workerId: "w", attempt: 1, time: time)
    #expect(
      String(decoding: try event.encoded(), as: UTF8.self)
        == #"{"attempt":1,"event":"accepted","id":"a","time":"2026-01-31T09:30:00.125Z","workerId":"w"}"#)
  }

  @Test func endOfAStepIsAnEvent() throws {
    let step = StepResult(
      index: 2, command: "make", status: .failed, exitCode: 1, durationMs: 9, log: "step_2.log", name: "build")
    let event = JobEvent(step: step, id: try JobID("a"), workerId: "w", attempt: 1, time: time)
    #expect(
      String(decoding: try event.encoded(), as: UTF8.self) == """
        {"attempt":1,"durationMs":9,"event":"step","exitCode":1,"id":"a","name":"build","status":"failed","step":2,\
        "time":"2026-01-31T09:30:00.125Z","workerId":"w"}
        """)
  }

  @Test func eventIsOfNowUnlessToldOtherwise() throws {
    let event = JobEvent(event: .completed, id: try JobID("a"), workerId: "w")
    #expect(event.time <= "\(Timestamp.now)")
  }
}
