import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Steps

/// A temporary directory in which a test runs one step at a time; removed after the test.
final class StepFixture: Sendable {
  let directory: FilePath
  let descriptor: FileDescriptor

  init() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("run-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: path, withIntermediateDirectories: false)
    directory = FilePath(path.path)
    descriptor = try .open(directory, .readOnly, options: [.directory, .closeOnExec])
  }

  deinit {
    try? descriptor.close()
    try? FileManager.default.removeItem(atPath: directory.string)
  }

  var environment: [String: String] { ["PATH": "/usr/bin:/bin", "JOB_WORKSPACE": directory.string] }

  func log(
    limit: Int64 = 1 << 20, name: String = "step_0.log", redacting redaction: Redaction = .none
  ) throws -> StepLog {
    let path = directory.appending(name)
    unlink(path.string)
    let file = try FileDescriptor.open(
      path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
    return StepLog(file, limit: limit, temporary: directory, redacting: redaction)
  }

  func command(_ script: String, timeout: Duration? = nil, grace: Duration = .seconds(10)) -> StepCommand {
    StepCommand(
      shell: ["/bin/sh", "-c"], script: script, workingDirectory: directory, environment: environment,
      timeout: timeout, grace: grace)
  }

  /// Runs a script, and returns its outcome and its log.
  func run(
    _ script: String, timeout: Duration? = nil, grace: Duration = .seconds(10), limit: Int64 = 1 << 20,
    stop: StopRequest = StopRequest()
  ) async throws -> (outcome: StepOutcome, text: String) {
    try await run(command(script, timeout: timeout, grace: grace), limit: limit, stop: stop)
  }

  func run(
    _ command: StepCommand, limit: Int64 = 1 << 20, stop: StopRequest = StopRequest()
  ) async throws -> (outcome: StepOutcome, text: String) {
    let log = try log(limit: limit)
    let outcome = try await StepRunner(guardian: nil).run(command, into: log, until: stop)
    log.finish()
    return (outcome, String(decoding: try contents("step_0.log"), as: UTF8.self))
  }

  /// Runs `body` beside a script that runs until `body` ends.
  func beside(_ script: String, _ body: () async throws -> Void) async throws {
    let stop = StopRequest()
    async let result = run(script, stop: stop)
    defer { stop.raise(.kill, reason: .canceled) }
    try await body()
    stop.raise(.kill, reason: .canceled)
    _ = try await result
  }

  func contents(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: directory.appending(name).string))
  }

  /// Waits until a step has written the file, and returns the numbers in it.
  func pids(in name: String, count: Int = 1) async throws -> [pid_t] {
    try await eventually("\(count) numbers in \(name)") {
      let pids = (try? contents(name)).map { String(decoding: $0, as: UTF8.self) }?
        .split(whereSeparator: \.isNewline).compactMap { pid_t($0) }
      return pids.flatMap { $0.count >= count ? $0 : nil }
    }
  }
}

/// Whether the process exists and is not a zombie.
func isAlive(_ pid: pid_t) -> Bool { ProcessEntry(pid)?.isAlive ?? false }
