import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@Suite struct HostileTests {
  @Test(arguments: [
    "/api/jobs/..", "/api/jobs/../../etc/passwd", "/api/jobs/%2e%2e/files?path=x", "/api/jobs/job%2F..",
    "/api/jobs/.worker",
    "/api/jobs/job%00", "/api/jobs/", "/api/jobs/KILLSWITCH", "/api/jobs/a%0Ab",
  ])
  func idThatIsNoneIsRefused(_ target: String) async throws {
    try await BoardProcess.play(fill: { try $0.finished("job") }) { board in
      let answer = try await board.send("GET", target)
      #expect([400, 404].contains(answer.status), "\(answer.head)")
      #expect(!answer.error.isEmpty)
    }
  }

  @Test(arguments: [
    "../result.json", "/etc/passwd", "..%2F..%2F..%2Fetc%2Fpasswd", "link", "folderlink/passwd", "fifo", "", ".",
    "folder",
    "result.json%00.txt", "folder%2F..%2F..%2Fjob.json", "missing", "%FF",
  ])
  func onlyRegularFilesOfTheResultsAreServed(_ path: String) async throws {
    try await BoardProcess.play(fill: { jobs in
      try jobs.finished("job")
      try jobs.write("{}", "job/job.json")
      try jobs.write("x", "job/results/folder/file")
      let results = jobs.appending("job/results")
      symlink("/etc/passwd", results.appending("link").string)
      symlink("/etc", results.appending("folderlink").string)
      mkfifo(results.appending("fifo").string, 0o644)
    }) { board in
      #expect(try await board.send("GET", "/api/jobs/job/files?path=folder/file").status == 200)
      let answer = try await board.send("GET", "/api/jobs/job/files?path=\(path)")
      #expect(answer.status == 404, "\(answer.head)\n\(answer.body)")
    }
  }

  @Test func strangeEntriesAreNoHitch() async throws {
    try await BoardProcess.play(fill: { jobs in
      try jobs.finished("good")
      try jobs.write("{\"schema\":1" + String(repeating: "[", count: 50_000), "broken/results/result.json")
      try jobs.write("{" + String(repeating: " ", count: 20 << 20) + "}", "huge/results/result.json")
      try jobs.write(String(repeating: "[", count: 100_000), "deep/job.json")
      try jobs.write("not a job", "evil\n<script>")
      symlink("/etc", jobs.appending("linked").string)
      mkfifo(jobs.appending("pipe").string, 0o644)
      try FileManager.default.createDirectory(
        atPath: jobs.appending("odd/results").string, withIntermediateDirectories: true)
      mkfifo(jobs.appending("odd/results/result.json").string, 0o644)
      try jobs.write("not JSON", ".worker/claims/x.1.json")
      try jobs.write("not JSON", ".worker/members/w.json")
    }) { board in
      _ = try await board.row("good")
      #expect(try await board.row("huge")[12] as? String == "its result.json has 20971522 bytes, too many to show")
      #expect(try await board.row("broken")[1] as? String == "pending")
      for id in ["huge", "broken", "deep", "odd"] {
        _ = try await board.row(id)
        #expect(try await board.send("GET", "/api/jobs/\(id)").status == 200)
      }
      #expect(try await (board.send("GET", "/api/jobs/broken").json["problem"] as? String)?.contains("broken") == true)
      let list = try await board.send("GET", "/api/jobs").body
      #expect(!list.contains("linked") && !list.contains("pipe") && !list.contains("script"))
    }
  }

  @Test func jobThatVanishesEndsWithASentence() async throws {
    try await BoardProcess.play(fill: { try $0.finished("job") }) { board in
      _ = try await board.row("job")
      let stream = try board.open("GET", "/api/jobs/job/events")
      try await stream.read(until: "event: job")
      try FileManager.default.removeItem(atPath: board.jobs.appending("job").string)
      try await eventually("the end of the row") { try await !board.send("GET", "/api/jobs").body.contains("\"job\"") }
      _ = await stream.readAll()
      let answer = try await board.send("GET", "/api/jobs/job")
      #expect(answer.status == 404 && answer.error.hasPrefix("there is no job job in"))
    }
  }

  @Test func namesStayTextInHeaders() async throws {
    let name = "a\r\nX-Evil: 1\u{202E}gnp.exe"
    try await BoardProcess.play(fill: { jobs in
      try jobs.finished("job")
      try jobs.write("x", "job/results/\(name)")
    }) { board in
      let answer = try await board.send("GET", "/api/jobs/job/files?path=a%0D%0AX-Evil:%201%E2%80%AEgnp.exe")
      #expect(answer.status == 200 && answer.body == "x")
      #expect(!answer.head.contains("\r\nX-Evil") && !answer.head.contains("%E2%80%AE"))
    }
  }

  @Test func pageRunsOnlyItsOwnScripts() async throws {
    try await BoardProcess.play { board in
      let page = try await board.send("GET", "/")
      #expect(page.head.contains("Content-Security-Policy: default-src 'none'; script-src 'self';"))
      #expect(page.head.contains("frame-ancestors 'none'; base-uri 'none'; form-action 'self'"))
      #expect(page.head.contains("Referrer-Policy: no-referrer"))
      for file in ["/board.js", "/board.css", "/text.js", "/icon.svg"] {
        let answer = try await board.send("GET", file)
        #expect(answer.status == 200 && answer.head.contains("Content-Security-Policy"))
        // What would make markup of text.
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"] {
          #expect(!answer.body.contains(word), "\(file)")
        }
      }
    }
  }

  @Test func streamsAreLimited() async throws {
    try await BoardProcess.play(fill: { try $0.finished("job") }) { board in
      _ = try await board.row("job")
      var open: [Connection] = []
      for _ in 0..<48 {
        let stream = try board.open("GET", "/api/jobs/job/events")
        try await stream.read(until: "retry")
        open.append(stream)
      }
      let refused = try await board.send("GET", "/api/jobs/job/events")
      #expect(refused.status == 503 && refused.error.contains("too many pages"))
      open = []
      // A seat is free again when the board notices that its page has gone.
      try await eventually("a free seat") {
        try await board.open("GET", "/api/jobs/job/events").read(until: "\r\n").contains("200")
      }
    }
  }

  /// The server reads a line in a time that grows with the square of its length.
  @Test(arguments: ["GET /", "GET / HTTP/1.1\r\nX: "]) func longLinesHinderNobody(_ start: String) async throws {
    try await BoardProcess.play(fill: { try $0.finished("job") }) { board in
      let long = try (0..<4).map { _ in
        let connection = try Connection(board.port)
        Thread.detachNewThread { connection.write(start + String(repeating: "a", count: 2 << 20)) }
        return connection
      }
      for connection in long { #expect(await connection.readAll().isEmpty) }
      _ = try await board.row("job")
      // One within the limit.
      #expect(try await board.send("GET", "/", ["X": String(repeating: "a", count: 4000)]).status == 200)
    }
  }

  @Test func unfinishedRequestsHinderNobody() async throws {
    try await BoardProcess.play(fill: { try $0.finished("job") }) { board in
      let slow = try (0..<100).map { _ in
        let connection = try Connection(board.port)
        connection.write("GET / HTTP/1.1\r\nHost: 127")
        return connection
      }
      _ = try await board.row("job")
      #expect(slow.count == 100)
    }
  }

  @Test func unknownMethodsAndPathsAreToldSo() async throws {
    try await BoardProcess.play { (board) async throws in
      #expect(try await board.send("DELETE", "/api/jobs/job").status == 405)
      #expect(try await board.send("POST", "/api/jobs").status == 404)
      #expect(try await board.send("GET", "/nothing").error.contains("there is nothing at"))
    }
  }
}
