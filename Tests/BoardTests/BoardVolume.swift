import Foundation
import SystemPackage

extension FilePath {
  /// Writes a file below this folder, with the folders above it.
  func write(_ text: String, _ path: String) throws {
    let file = pushing(FilePath(path))
    try FileManager.default.createDirectory(
      atPath: file.removingLastComponent().string, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(filePath: file.string))
  }

  /// Appends to a file below this folder.
  func append(_ text: String, _ path: String) throws {
    let file = try FileHandle(forWritingTo: URL(filePath: pushing(FilePath(path)).string))
    defer { try? file.close() }
    try file.seekToEnd()
    try file.write(contentsOf: Data(text.utf8))
  }

  /// A finished job. `more` are further members of its result, each with a comma before it.
  func finished(_ id: String, status: String = "success", _ more: String = "") throws {
    try write(
      #"{"schema":1,"jobId":"\#(id)","status":"\#(status)","exitCode":0,"timing":{"start":"2026-01-01T00:00:00.000Z","#
        + #""end":"2026-01-01T00:00:05.000Z","durationMs":5000},"steps":[],"attempt":1,"workerId":"w","workerVersion":"1","#
        + #""host":"h","artifacts":[],"deleted":[],"skipped":[]\#(more)}"#, "\(id)/results/result.json")
  }

  /// A job that a worker has.
  func claimed(_ id: String, attempt: Int = 1) throws {
    let process = #"{"host":"h","bootId":"b","pid":1,"startTime":"1","pidNamespace":"n"}"#
    try write(
      #"{"id":"\#(id)","attempt":\#(attempt),"worker":"w","process":\#(process),"filter":"jobs/pending","envelope":"#
        + #"{"payload":"{\"id\":\"\#(id)\"}","topic":"jobs/pending","requestId":"r"}}"#,
      ".worker/claims/\(id).\(attempt).json")
  }
}
