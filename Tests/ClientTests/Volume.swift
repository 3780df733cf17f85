import Foundation
import SystemPackage

@testable import Client
@testable import Jobs
@testable import Volume

/// A folder for one test: a volume, and a place for other files.
final class Volume: Sendable {
  let root: FilePath
  let directory: JobsDirectory

  init() throws {
    root = FilePath(FileManager.default.temporaryDirectory.path).appending("volume-\(UUID().uuidString)")
    directory = JobsDirectory(root.appending("jobs"))
    try FileManager.default.createDirectory(atPath: directory.path.string, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: root.string)
  }

  /// Writes a file below the root, with the folders above it.
  @discardableResult
  func write(_ text: String, _ path: String) throws -> FilePath {
    let file = root.pushing(FilePath(path))
    try FileManager.default.createDirectory(
      atPath: file.removingLastComponent().string, withIntermediateDirectories: true)
    try text.write(toFile: file.string, atomically: false, encoding: .utf8)
    return file
  }

  /// The text of a file below the root.
  func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: root.pushing(FilePath(path)).string).map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  /// The names in a folder below the root.
  func names(_ path: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: root.pushing(FilePath(path)).string)) ?? []).sorted()
  }

  /// The claim of a worker, as its file.
  func claim(_ id: String, attempt: Int, worker: String = "w", request: String = "r") throws {
    let process = #"{"host":"h","bootId":"b","pid":1,"startTime":"1","pidNamespace":"n"}"#
    let envelope = #"{"payload":"{}","topic":"jobs/pending","requestId":"\#(request)"}"#
    try write(
      #"{"id":"\#(id)","attempt":\#(attempt),"worker":"\#(worker)","process":\#(process),"filter":"jobs/pending","#
        + #""envelope":\#(envelope)}"#, "jobs/.worker/claims/\(id).\(attempt).json")
  }

  /// The result of a run.
  func result(
    _ id: String, _ status: JobStatus = .success, attempt: Int = 1, end: String = "2026-01-01T00:00:00.000Z",
    request: String = "r"
  ) throws {
    let result = JobResult(
      jobId: try JobID(id), status: status, exitCode: status == .success ? 0 : 1,
      timing: JobTiming(start: end, end: end, durationMs: 5), steps: [], attempt: attempt, workerId: "w",
      workerVersion: "1", host: "h", requestId: request)
    try write(String(decoding: try result.encoded(), as: UTF8.self), "jobs/\(id)/results/result.json")
  }
}
