import Testing

@testable import Jobs

struct WorkerStatusTests {
  @Test func statusIsReadAsItIsWritten() throws {
    var status = WorkerStatus(.busy, of: try #require(WorkerID("worker-01", host: "")))
    status.job = "job_1"
    status.step = 3
    status.load = 0.25
    status.jobsFree = 1 << 40
    #expect(WorkerStatus(payload: try status.encoded()) == status)
    #expect(
      String(decoding: try status.encoded(), as: UTF8.self)
        == #"{"job":"job_1","jobsFree":1099511627776,"load":0.25,"state":"busy","step":3,"workerId":"worker-01"}"#)
  }

  @Test(arguments: ["", "null", "[]", "{}", #"{"state":"asleep","workerId":"w"}"#, #"{"state":"idle"}"#])
  func whatIsNoStatusIsNone(_ payload: String) {
    #expect(WorkerStatus(payload: Array(payload.utf8)) == nil)
  }

  @Test func keysOfLaterVersionsDoNoHarm() {
    let payload = #"{"state":"idle","workerId":"w","mood":{"level":[1]}}"#
    #expect(WorkerStatus(payload: Array(payload.utf8))?.workerId == "w")
  }
}
