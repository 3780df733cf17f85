import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct BoardTests {
  @Test func jobsAreListedWithTheirStates() async throws {
    try await BoardProcess.play(fill: { jobs in
      try jobs.finished("done", status: "failed", #","error":"step 1 failed""#)
      try jobs.write(#"{"steps":["true",{"name":"build","run":"make"}]}"#, "now/job.json")
      try jobs.write("a\n", "now/results/step_0.log")
      try jobs.write("b\nlast\n", "now/results/step_1.log")
      try jobs.claimed("now", attempt: 2)
      try jobs.write(#"{"steps":["true"]}"#, "later/job.json")
    }) { board in
      let done = try await board.row("done")
      #expect(
        done[1] as? String == "finished" && done[2] as? String == "failed" && done[12] as? String == "step 1 failed")
      let now = try await board.row("now")
      #expect(now[1] as? String == "running" && now[4] as? Int == 2 && now[6] as? Int == 1 && now[7] as? Int == 2)
      #expect(now[8] as? String == "build" && now[14] as? String == "last")
      #expect(try await board.row("later")[1] as? String == "pending")
    }
  }

  @Test func changesComeAsEvents() async throws {
    try await BoardProcess.play(fill: { try $0.finished("old") }) { board in
      _ = try await board.row("old")
      let version = try #require(try await board.send("GET", "/api/jobs").json["version"] as? String)
      let stream = try board.open("GET", "/api/events?since=\(version)")
      try await stream.read(until: "event: facts")
      try board.jobs.finished("new")
      let event = try await stream.read(until: "\"new\"")
      #expect(event.contains("event: jobs") && !event.contains("\"old\""))
      try FileManager.default.removeItem(atPath: board.jobs.appending("old").string)
      try await stream.read(until: #""removed":["old"]"#)
    }
  }

  @Test func resultOfALaterRunReplacesTheOlder() async throws {
    try await BoardProcess.play(fill: { try $0.finished("job") }) { board in
      _ = try await board.row("job")
      try board.jobs.claimed("job", attempt: 1)
      try await eventually("the running row") { try await board.row("job")[1] as? String == "running" }
      try board.jobs.finished("job", status: "timeout")
      try FileManager.default.removeItem(atPath: board.jobs.appending(".worker/claims/job.1.json").string)
      try await eventually("the new result") { try await board.row("job")[2] as? String == "timeout" }
    }
  }

  @Test func unchangedListIsNotSentAgain() async throws {
    try await BoardProcess.play(fill: { try $0.finished("job") }) { board in
      _ = try await board.row("job")
      let first = try await board.send("GET", "/api/jobs")
      let tag = try #require(first.head.split(separator: "\r\n").first { $0.hasPrefix("ETag: ") }).dropFirst(6)
      #expect(try await board.send("GET", "/api/jobs", ["If-None-Match": String(tag)]).status == 304)
    }
  }

  @Test func pageOfAJobHasItsResult() async throws {
    try await BoardProcess.play(fill: { try $0.finished("job", #","outputs":{"version":"2"},"reason":"why""#) }) {
      board in
      let page = try await board.send("GET", "/api/jobs/job")
      #expect(page.status == 200)
      let result = try #require(page.json["result"] as? [String: Any])
      #expect(result["reason"] as? String == "why" && (result["outputs"] as? [String: String])?["version"] == "2")
    }
  }

  @Test func logIsFollowedToTheNextStepAndAttempt() async throws {
    try await BoardProcess.play(fill: { jobs in
      try jobs.write(#"{"steps":["a","b"]}"#, "job/job.json")
      try jobs.write("one\n", "job/results/step_0.log")
      try jobs.claimed("job")
    }) { board in
      _ = try await board.row("job")
      let stream = try board.open("GET", "/api/jobs/job/events")
      try await stream.read(until: #""isFirst":true,"offset":0,"step":0,"text":"one\n""#)
      try board.jobs.append("two\n", "job/results/step_0.log")
      try await stream.read(until: #""isFirst":false,"offset":4,"step":0,"text":"two\n""#)
      try board.jobs.write("three\n", "job/results/step_1.log")
      try await stream.read(until: #""isFirst":true,"offset":0,"step":1,"text":"three\n""#)
      // The next attempt moves the results aside.
      try FileManager.default.moveItem(
        atPath: board.jobs.appending("job/results").string, toPath: board.jobs.appending("job/results.previous").string)
      try board.jobs.write("again\n", "job/results/step_0.log")
      try await stream.read(until: #""isFirst":true,"offset":0,"step":0,"text":"again\n""#)
    }
  }

  @Test func largeLogBeginsWithItsEnd() async throws {
    let lines = (0..<40_000).map { "line \($0)\n" }.joined()
    try await BoardProcess.play(fill: { jobs in
      try jobs.finished("job")
      try jobs.write(lines, "job/results/step_0.log")
    }) { board in
      let stream = try board.open("GET", "/api/jobs/job/events?step=0")
      let text = try await stream.read(until: "line 39999")
      #expect(!text.contains("line 100\\n"))
      let part = try await board.send("GET", "/api/jobs/job/logs/0?before=200000")
      let end = String(lines.utf8.prefix(200_000).suffix(10)) ?? ""
      #expect((part.json["text"] as? String)?.hasSuffix(end) == true)
      #expect(part.json["offset"] as? Int ?? 0 > 90_000)
    }
  }

  @Test func artifactIsServedToBeSaved() async throws {
    try await BoardProcess.play(fill: { jobs in
      try jobs.finished("job")
      try jobs.write("<script>", "job/results/dist/über \"x\".html")
    }) { board in
      let file = try await board.send("GET", "/api/jobs/job/files?path=dist/%C3%BCber%20%22x%22.html")
      #expect(file.status == 200 && file.body == "<script>")
      #expect(file.head.contains("Content-Type: application/octet-stream"))
      #expect(file.head.contains("X-Content-Type-Options: nosniff"))
      #expect(
        file.head.contains(
          #"Content-Disposition: attachment; filename="_ber _x_.html"; filename*=UTF-8''%C3%BCber%20%22x%22.html"#))
    }
  }

  @Test func volumeMustBeThere() async throws {
    let run = try await BoardProcess.run(["-j", "/nowhere"])
    #expect(run.end == .code(74))
    #expect(run.errors.contains("/nowhere") && run.errors.contains("--jobs-dir"))
  }
}
