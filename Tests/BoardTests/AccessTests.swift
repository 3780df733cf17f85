import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct AccessTests {
  private static let token = "0123456789abcdef0123"

  private func withToken(_ body: (BoardProcess) async throws -> Void) async throws {
    let file = FilePath(FileManager.default.temporaryDirectory.path).appending("token-\(UUID().uuidString)")
    try Data("\(Self.token)\n".utf8).write(to: URL(filePath: file.string))
    defer { try? FileManager.default.removeItem(atPath: file.string) }
    try await BoardProcess.play(["--token-file", file.string], fill: { try $0.finished("job") }, body)
  }

  @Test(arguments: ["evil.example", "evil.example:8300", "127.0.0.1.evil.example", "", "[::2]:80"])
  func strangersNameOfThisHostIsRefused(_ host: String) async throws {
    try await BoardProcess.play { board in
      let answer = try await board.send("GET", "/api/jobs", ["Host": host])
      #expect(answer.status == 421 && answer.error.contains("is not this board"))
      #expect(try await board.send("GET", "/", ["Host": host]).status == 421)
    }
  }

  @Test(arguments: ["localhost:1234", "127.0.0.1", "[::1]:8300", "LOCALHOST"])
  func ownNamesAreServed(_ host: String) async throws {
    try await BoardProcess.play { (board) async throws in
      #expect(try await board.send("GET", "/api/jobs", ["Host": host]).status == 200)
    }
  }

  @Test func nothingOfTheJobsIsToldWithoutTheToken() async throws {
    try await withToken { (board) async throws in
      #expect(try await board.send("GET", "/").status == 200)
      for path in [
        "/api/jobs", "/api/events?since=a-1", "/api/jobs/job", "/api/jobs/job/events",
        "/api/jobs/job/files?path=result.json",
      ] {
        #expect(try await board.send("GET", path).status == 401)
        #expect(try await board.send("GET", path, ["Authorization": "Bearer \(Self.token)x"]).status == 401)
        #expect(try await board.send("GET", path, ["Cookie": "board-0=\(Self.token)"]).status == 401)
      }
      #expect(try await board.send("GET", "/api/jobs/job", ["Authorization": "Bearer \(Self.token)"]).status == 200)
      #expect(try await board.send("POST", "/api/jobs/job/cancel").status == 401)
    }
  }

  @Test func loginGivesACookieThatNoScriptReads() async throws {
    try await withToken { board in
      let origin = ["Origin": "http://127.0.0.1:\(board.port)"]
      let wrong = try await board.send("POST", "/login", origin, body: "wrong")
      #expect(wrong.status == 401 && !wrong.head.contains("Set-Cookie"))
      #expect(try await board.send("POST", "/login", ["Origin": "http://evil.example"], body: Self.token).status == 403)
      let answer = try await board.send("POST", "/login", origin, body: Self.token)
      let line = try #require(answer.head.split(separator: "\r\n").first { $0.hasPrefix("Set-Cookie: ") })
      #expect(line.contains("HttpOnly; SameSite=Strict") && !line.contains(Self.token))
      let cookie = String(line.dropFirst(12).prefix { $0 != ";" })
      #expect(try await board.send("GET", "/api/jobs/job", ["Cookie": "other=1; \(cookie)"]).status == 200)
      #expect(try await board.send("POST", "/login", origin, body: String(repeating: "x", count: 5000)).status == 413)
    }
  }

  @Test func otherAddressesNeedAToken() async throws {
    let folder = FileManager.default.temporaryDirectory.path
    let run = try await BoardProcess.run(["-j", folder, "--listen", "0.0.0.0:0"])
    #expect(run.end == .code(78) && run.errors.contains("--token-file"))
    let name = try await BoardProcess.run(["-j", folder, "--listen", "example.org:80"])
    #expect(name.end == .code(78) && name.errors.contains("give an IP address"))
    let cancel = try await BoardProcess.run(["-j", folder, "--allow-cancel"])
    #expect(cancel.end == .code(78) && cancel.errors.contains("--url"))
  }

  @Test func tokenThatCanBeGuessedIsRefused() async throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "token-\(UUID().uuidString)")
    try Data("short".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let run = try await BoardProcess.run(["-j", "/tmp", "--token-file", file.path])
    #expect(run.end == .code(78) && run.errors.contains("could be guessed") && !run.errors.contains("short:"))
  }
}
