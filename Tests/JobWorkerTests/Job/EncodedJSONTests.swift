import SystemPackage
import Testing

@testable import JobWorker

/// What lies on the volume is read by workers of other versions, and by programs of others: byte for byte it stays as it is.
struct EncodedJSONTests {
  private let process = #"{"bootId":"other","host":"elsewhere","pid":7,"pidNamespace":"pid:[1]","startTime":"1"}"#

  private func text(_ value: some Encodable) throws -> String {
    String(decoding: try compactJSON(value), as: UTF8.self)
  }

  @Test func bytesOfAResultInWhichEveryKeySaysSomething() throws {
    #expect(
      try text(try JobResult.sample)
        == #"{"artifacts":[{"change":"new","mode":"0644","path":"out/é.txt","sha256":"ab","size":3},"#
        + #"{"change":"modified","mode":"0755","path":"result.json","sha256":"cd","size":0,"#
        + #""storedAs":"_artifacts/result.json"},"#
        + #"{"change":"new","mode":"0600","pathBase64":"buk=","size":1,"storedAsBase64":"b+k="}],"attempt":2,"#
        + #""deleted":["old",{"pathBase64":"/w=="}],"error":"step 0 was killed","exitCode":137,"host":"a","#
        + #""jobId":"job_2026_01","phase":"run","reason":"shutdown","requestId":"r-1","schema":1,"#
        + #""skipped":[{"path":"pipe","reason":"a FIFO"},{"pathBase64":"6Q==","reason":"a socket"}],"#
        + #""status":"failed","steps":[{"command":"make a/b","durationMs":1360,"endedProcesses":2,"exitCode":137,"#
        + #""index":0,"killed":true,"log":"step_0.log","logBytes":12,"logDropped":3,"#
        + #""logError":"No space left on device","name":"build","signal":"SIGKILL","status":"failed","timedOut":true},"#
        + #"{"command":"make test","durationMs":0,"endedProcesses":0,"exitCode":null,"index":1,"killed":false,"#
        + #""log":null,"logBytes":0,"logDropped":0,"status":"skipped","timedOut":false}],"#
        + #""timing":{"durationMs":1375,"end":"2026-01-31T09:30:01.500Z","runMs":1360,"stageMs":5,"#
        + #""start":"2026-01-31T09:30:00.125Z","syncMs":10},"workerId":"worker-01","workerVersion":"1.0.0"}"#)
  }

  @Test func bytesOfAClaim() throws {
    var request = envelope("job", "order-4711")
    var record = ClaimRecord(
      id: try JobID("job"), attempt: 1, worker: "one", process: .elsewhere, filter: nil, envelope: request)
    let least =
      #"{"attempt":1,"envelope":{"payload":"{\"id\":\"job\"}","requestId":"order-4711","topic":"jobs/pending"},"#
      + #""id":"job","process":\#(process),"worker":"one"}"#
    #expect(String(decoding: try record.encoded(), as: UTF8.self) == "\(least)\n")
    request.responseTopic = "replies/1"
    request.correlationData = [0, 255]
    (record.envelope, record.filter, record.run, record.keyId) = (request, "jobs/pending", "run-1", "key-1")
    #expect(
      String(decoding: try record.encoded(), as: UTF8.self)
        == #"{"attempt":1,"envelope":{"correlationData":[0,255],"payload":"{\"id\":\"job\"}","requestId":"order-4711","#
        + #""responseTopic":"replies/1","topic":"jobs/pending"},"filter":"jobs/pending","id":"job","keyId":"key-1","#
        + #""process":\#(process),"run":"run-1","worker":"one"}"# + "\n")
  }

  @Test func bytesOfAMember() throws {
    var member = Member(worker: "one", clientId: "c", filter: "jobs/+", broker: "b:1883", process: .elsewhere)
    let rest = #""filter":"jobs/+","process":\#(process),"state":"present","worker":"one"}"#
    #expect(try text(member) == #"{"broker":"b:1883","clientId":"c",\#(rest)"#)
    member.epoch = "e"
    let bytes = #"{"broker":"b:1883","clientId":"c","epoch":"e",\#(rest)"#
    #expect(try text(member) == bytes)
    let read = try #require(Member(json: Array("\(bytes)   \n".utf8)))
    #expect(read.isOfSameSession(as: member) && read.process == .elsewhere && read.epoch == "e")
    #expect(Member(json: Array(bytes.dropLast().utf8)) == nil)
  }
}
