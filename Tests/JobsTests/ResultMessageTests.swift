import Testing

@testable import Jobs

struct ResultMessageTests {
  @Test func messageOfAResultSaysWhereTheWholeOfItLies() throws {
    let message = ResultMessage(result: try .sample, tail: "make: *** Error\n\u{FFFD}\0")
    #expect(
      String(decoding: try message.encoded(), as: UTF8.self) == """
        {"attempt":2,"durationMs":1375,"error":"step 0 was killed","exitCode":137,"id":"job_2026_01",\
        "manifestFile":"results/result.json","outOfMemory":true,"outputs":{"version":"1.2"},"requestId":"r-1",\
        "status":"failed","tail":"make: *** Error\\n\u{FFFD}\\u0000",\
        "usage":{"maxRssBytes":4096,"systemMs":2,"userMs":1},"workerId":"worker-01"}
        """)
  }

  @Test func exitCodeIsThereEvenWhenNoStepDecidedTheJob() throws {
    var result = try JobResult.sample
    result.exitCode = nil
    let json = try ResultMessage(result: result, tail: nil).encoded()
    #expect(String(decoding: json, as: UTF8.self).contains(#""exitCode":null"#))
  }

  @Test func outputsOfMoreThan16KiBAreInTheFileOnly() throws {
    var result = try JobResult.sample
    result.outputs = ["a": String(repeating: "b", count: (16 << 10) - 1)]
    #expect(ResultMessage(result: result, tail: nil).outputs == result.outputs)
    result.outputs?["c"] = ""
    #expect(ResultMessage(result: result, tail: nil).outputs == nil)
  }

  @Test func outputsGoFirstAndThenTheTail() throws {
    let forms = ResultMessage(result: try .sample, tail: "tail").shorterForms
    #expect(forms.map { $0.outputs != nil } == [true, false, false])
    #expect(forms.map { $0.tail != nil } == [true, true, false])
    #expect(forms.map { $0.usage != nil } == [true, true, false])
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
