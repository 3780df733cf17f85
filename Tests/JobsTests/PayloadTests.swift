import SystemPackage
import Testing

@testable import Jobs

/// Workers of other versions and other programs read the files on the volume: their bytes must not change.
struct PayloadTests {
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
        + #""jobId":"job_2026_01","outOfMemory":true,"outputs":{"version":"1.2"},"phase":"run","reason":"shutdown","requestId":"r-1","schema":1,"#
        + #""skipped":[{"path":"pipe","reason":"a FIFO"},{"pathBase64":"6Q==","reason":"a socket"}],"#
        + #""status":"failed","steps":[{"command":"make a/b","durationMs":1360,"endedProcesses":2,"exitCode":137,"#
        + #""index":0,"killed":true,"log":"step_0.log","logBytes":12,"logDropped":3,"#
        + #""logError":"No space left on device","name":"build","signal":"SIGKILL","status":"failed","timedOut":true,"#
        + #""tries":2,"usage":{"maxRssBytes":4096,"systemMs":2,"userMs":1}},"#
        + #"{"command":"make test","durationMs":0,"endedProcesses":0,"exitCode":null,"index":1,"killed":false,"#
        + #""log":null,"logBytes":0,"logDropped":0,"status":"skipped","timedOut":false}],"#
        + #""timing":{"durationMs":1375,"end":"2026-01-31T09:30:01.500Z","runMs":1360,"stageMs":5,"#
        + #""start":"2026-01-31T09:30:00.125Z","syncMs":10},"usage":{"maxRssBytes":4096,"systemMs":2,"userMs":1},"workerId":"worker-01","workerVersion":"1.0.0"}"#
    )
  }
}
