import Foundation
import Glibc
package import Jobs
package import SystemPackage

@testable package import Volume

/// A shared volume for one test, with workers that hold jobs on it. It is removed after the test.
package final class VolumeFixture: Sendable {
  package let root: FilePath
  package static let filter = "$share/workers/jobs/pending"

  package init() throws {
    root = FilePath(NSTemporaryDirectory()).appending("volume-\(UUID().uuidString)")
    try DurableFile.makeFolder(jobs)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: root.string)
  }

  /// The jobs folder.
  package var jobs: FilePath { root.appending("jobs") }
  package var directory: JobsDirectory { JobsDirectory(jobs) }

  /// The worker `id`'s view of the volume.
  package func ledger(
    _ id: String = "worker-01", filter: String? = VolumeFixture.filter, lease: Duration = .seconds(60),
    times: TimeSource? = nil
  ) throws -> Ledger {
    let identity = WorkerIdentity(id: try worker(id), version: "1")
    return try Ledger(directory, worker: identity, filters: filter.map { [$0] } ?? [], lease: lease, times: times)
  }

  package func worker(_ id: String) throws -> WorkerID {
    guard let worker = WorkerID(id, host: "host") else { throw Errno.invalidArgument }
    return worker
  }

  /// Puts a job folder on the volume.
  @discardableResult
  package func job(_ id: String, _ definition: String = #"{"steps": ["true"]}"#) throws -> JobFolder {
    try DurableFile.makeFolder(jobs.appending(id))
    try write(definition, jobs.appending(id).appending("job.json"))
    return try JobFolder.open(JobID(id), in: directory)
  }

  package func write(_ text: String, _ path: FilePath) throws {
    try text.write(toFile: path.string, atomically: false, encoding: .utf8)
  }

  package func text(_ path: FilePath) -> String? {
    FileManager.default.contents(atPath: path.string).map { String(decoding: $0, as: UTF8.self) }
  }

  package func names(_ folder: FilePath) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.string).sorted()
  }

  /// A file beside the jobs for the test's own use.
  package var file: VolumePath { VolumePath(root).appending("file") }

  /// A lease by this volume's clock.
  package func lease(
    _ duration: Duration = .seconds(60), times: TimeSource = .volume, remembering memory: FilePath? = nil
  ) -> Lease {
    Lease(
      duration, clock: VolumeClock(probe: VolumePath(root).appending("probe")), times: times, remembering: memory)
  }

  /// Leaves a claim like that of a dead worker.
  package func leaveClaim(
    _ id: String, attempt: Int = 1, of worker: String, _ process: ProcessIdentity = .elsewhere,
    filter: String? = VolumeFixture.filter, request: String = "r"
  ) throws -> VolumePath {
    let record = ClaimRecord(
      id: try JobID(id), attempt: attempt, worker: worker, process: process, filter: filter,
      envelope: envelope(id, request))
    let path = directory.claims.appending("\(id).\(attempt).json")
    try DurableFile.create(path, DurableFile.line(record, for: path))?.close()
    return path
  }
}

/// A request for `id`.
package func envelope(_ id: String, _ request: String) -> Envelope {
  Envelope(payload: #"{"id":"\#(id)"}"#, topic: "jobs/pending", requestId: RequestID(request))
}

/// Sets the time of `path` to so long ago; a negative value is in the future.
package func age(_ path: FilePath, _ duration: Duration) {
  var times = [timespec(), timespec()]
  clock_gettime(CLOCK_REALTIME, &times[0])
  times[0].tv_sec -= Int(duration.components.seconds)
  times[1] = times[0]
  utimensat(AT_FDCWD, path.string, times, 0)
}

extension ProcessIdentity {
  /// A process of another host, whose state is not known.
  package static let elsewhere = ProcessIdentity(
    host: "elsewhere", bootId: "other", pid: 7, startTime: "1", pidNamespace: "pid:[1]")

  /// An earlier process with this process's id.
  package static var predecessor: ProcessIdentity {
    var process = ProcessIdentity.current
    process.startTime = "1"
    return process
  }
}

/// Tests use complete paths.
extension VolumePath {
  package var string: String { path.string }
}

extension DurableFile {
  package static func create(_ path: FilePath, _ bytes: [UInt8]) throws(VolumeError) -> FileDescriptor? {
    try create(VolumePath(file: path), bytes)
  }

  package static func replace(_ path: FilePath, _ bytes: [UInt8]) throws(VolumeError) {
    try replace(VolumePath(file: path), bytes)
  }

  package static func read(_ path: FilePath, limit: Int = 1 << 24) throws(VolumeError) -> [UInt8]? {
    try read(VolumePath(file: path), limit: limit)
  }

  package static func remove(_ path: FilePath) throws(VolumeError) -> Bool { try remove(VolumePath(file: path)) }

  package static func names(in folder: FilePath) throws(VolumeError) -> [String] {
    try names(in: VolumePath(file: folder))
  }
}

extension VolumeFixture {
  package func write(_ text: String, _ path: VolumePath) throws { try write(text, path.path) }
  package func text(_ path: VolumePath) -> String? { text(path.path) }
  package func names(_ folder: VolumePath) throws -> [String] { try names(folder.path) }
}

package func age(_ path: VolumePath, _ duration: Duration) { age(path.path, duration) }
