import Testing

@testable import Jobs

struct ResultMessageTests {
  @Test func messageOfAResultSaysWhereTheWholeOfItLies() throws {
    let message = ResultMessage(result: try .sample, tail: "make: *** Error\n\u{FFFD}\0")
    #expect(
      String(decoding: try message.encoded(), as: UTF8.self) == """
        {"attempt":2,"durationMs":1375,"error":"step 0 was killed","exitCode":137,"id":"job_2026_01",\
        "manifestFile":"results/result.json","requestId":"r-1","status":"failed",\
        "tail":"make: *** Error\\n\u{FFFD}\\u0000",\
        "workerId":"worker-01"}
        """)
  }

  @Test func exitCodeIsThereEvenWhenNoStepDecidedTheJob() throws {
    var result = try JobResult.sample
    result.exitCode = nil
    let json = try ResultMessage(result: result, tail: nil).encoded()
    #expect(String(decoding: json, as: UTF8.self).contains(#""exitCode":null"#))
  }

  @Test func rejectedRequestHasNoManifest() throws {
    let named = ResultMessage.rejected(id: try JobID("a"), error: "no \"x\"", workerID: "w")
    #expect(
      String(decoding: try named.encoded(), as: UTF8.self)
        == #"{"error":"no \"x\"","id":"a","status":"rejected","workerId":"w"}"#)
    let nameless = ResultMessage.rejected(id: nil, error: "x", workerID: "w")
    #expect(
      String(decoding: try nameless.encoded(), as: UTF8.self)
        == #"{"error":"x","status":"rejected","workerId":"w"}"#)
  }
}
