import Foundation
import Glibc
import SystemPackage
import TestSupport

/// A running board with its volume, for one test.
final class BoardProcess: Sendable {
  let jobs: FilePath
  let port: UInt16
  private let root: FilePath
  private let process: ChildProcess

  /// The board's executable, beside the running test bundle.
  static var executable: FilePath {
    get throws { try WorkerProcess.executable.removingLastComponent().appending("mqtt-fs-board") }
  }

  /// Starts a board on a volume that `fill` has filled, and stops it after `body`.
  static func play(
    _ arguments: [String] = [], fill: (FilePath) throws -> Void = { _ in }, _ body: (BoardProcess) async throws -> Void
  ) async throws {
    let root = FilePath(FileManager.default.temporaryDirectory.path).appending("board-\(UUID().uuidString.prefix(8))")
    let jobs = root.appending("jobs")
    try FileManager.default.createDirectory(atPath: jobs.string, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: root.string) }
    try fill(jobs)
    let board = try await BoardProcess(root, jobs, arguments)
    do {
      try await body(board)
    } catch {
      board.process.send(SIGKILL)
      _ = try? await board.process.end()
      throw error
    }
    board.process.send(SIGTERM)
    try await board.process.end()
  }

  /// A board on the volume of a scene, which ends it.
  convenience init(in scene: Scene, _ arguments: [String]) async throws {
    try await self.init(scene.root.appending("board"), scene.jobs, arguments)
  }

  private init(_ root: FilePath, _ jobs: FilePath, _ arguments: [String]) async throws {
    (self.root, self.jobs) = (root, jobs)
    try FileManager.default.createDirectory(atPath: root.string, withIntermediateDirectories: true)
    var environment = ["PATH": "/usr/bin:/bin"]
    environment["LD_LIBRARY_PATH"] = ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"]
    let process = try ChildProcess(
      try BoardProcess.executable, ["-j", jobs.string, "--listen", "127.0.0.1:0"] + arguments, environment: environment,
      directory: root, files: root.appending("board"))
    self.process = process
    port = try await eventually("the board's address") {
      if let end = process.end { throw WaitedInVain("the board ended with \(end): \(process.errors)") }
      return process.output.split(separator: "\n").first.flatMap {
        UInt16($0.dropLast().split(separator: ":").last ?? "")
      }
    }
  }

  func stop() async throws {
    process.send(SIGTERM)
    try await process.end()
  }

  /// Runs the executable to its end.
  static func run(_ arguments: [String]) async throws -> (end: ProcessEnd, errors: String) {
    let files = FilePath(FileManager.default.temporaryDirectory.path).appending(
      "board-run-\(UUID().uuidString.prefix(8))")
    defer { for end in [".out", ".err"] { unlink("\(files)\(end)") } }
    var environment = ["PATH": "/usr/bin:/bin"]
    environment["LD_LIBRARY_PATH"] = ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"]
    let process = try ChildProcess(
      try executable, arguments, environment: environment, directory: "/", files: files)
    return (try await process.end(), process.errors)
  }

  // MARK: HTTP

  /// An answer: its status, head and body.
  struct Answer {
    let status: Int
    let head: String
    let body: String

    /// The body as JSON.
    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]) ?? [:] }
    var error: String { json["error"] as? String ?? "" }
  }

  /// Sends a request as it stands, and reads the answer to its end. Nothing is tidied, as a library would do.
  func send(
    _ method: String = "GET", _ target: String, _ headers: [String: String] = [:], body: String = ""
  ) async throws -> Answer {
    let stream = try open(method, target, headers, body: body)
    let text = await stream.readAll()
    let parts = text.firstRange(of: "\r\n\r\n")
    let head = String(parts.map { text[..<$0.lowerBound] } ?? text[...])
    let status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return Answer(status: status, head: head, body: String(parts.map { text[$0.upperBound...] } ?? ""))
  }

  /// Sends a request, and leaves the connection open.
  func open(
    _ method: String = "GET", _ target: String, _ headers: [String: String] = [:], body: String = ""
  ) throws -> Connection {
    var headers = headers.merging(["Connection": "close"]) { own, _ in own }
    if headers["Host"] == nil { headers["Host"] = "127.0.0.1:\(port)" }
    if !body.isEmpty || method == "POST" { headers["Content-Length"] = "\(body.utf8.count)" }
    let head = headers.map { "\($0): \($1)\r\n" }.joined()
    let connection = try Connection(port)
    connection.write("\(method) \(target) HTTP/1.1\r\n\(head)\r\n\(body)")
    return connection
  }

  /// The row of a job, once the board has it.
  func row(_ id: String) async throws -> [Any] {
    try await eventually("the row of \(id)") {
      let rows = try await send("GET", "/api/jobs").json["rows"] as? [[Any]] ?? []
      return rows.first { $0.first as? String == id }
    }
  }
}

/// A TCP connection to a port of this host.
final class Connection: Sendable {
  private let descriptor: Int32

  init(_ port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let isConnected = withUnsafePointer(to: &address) { [descriptor] in
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard isConnected else { throw WaitedInVain("no connection to \(port): errno \(errno)") }
    // A read that would wait for ever is a failure.
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit {
    close(descriptor)
  }

  func write(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  /// Some bytes; empty at the end.
  private func read() async -> [UInt8] {
    // Not on a thread of Swift's pool: it blocks.
    await withCheckedContinuation { continuation in
      DispatchQueue(label: "read").async { [descriptor] in
        continuation.resume(
          returning: [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
            count = max(0, recv(descriptor, buffer.baseAddress, 65536, 0))
          })
      }
    }
  }

  func readAll() async -> String {
    var bytes: [UInt8] = []
    while case let more = await read(), !more.isEmpty { bytes += more }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Reads until the text so far contains `part`, and returns it.
  @discardableResult
  func read(until part: String) async throws -> String {
    var text = ""
    while !text.contains(part) {
      let more = await read()
      guard !more.isEmpty else { throw WaitedInVain("the connection ended before '\(part)':\n\(text)") }
      text += String(decoding: more, as: UTF8.self)
    }
    return text
  }
}
