import Foundation
import Glibc
public import MQTT
public import SystemPackage

/// A controller's actions in a scene, and the files on the volume.
extension Scene {
  /// Puts a job folder on the volume, with its files by relative path.
  @discardableResult
  public func job(_ id: String, steps: [JSON], _ files: [String: String] = [:]) throws -> FilePath {
    try job(id, ["steps": .array(steps)], files)
  }

  /// Puts a job folder with this job.json on the volume.
  @discardableResult
  public func job(_ id: String, _ definition: JSON, _ files: [String: String] = [:]) throws -> FilePath {
    let folder = jobs.appending(id)
    for (path, text) in files { try write(text, folder.pushing(FilePath(path))) }
    try write(definition.text, folder.appending("job.json"))
    return folder
  }

  /// Writes a file, with the folders above it.
  public func write(_ text: String, _ path: FilePath) throws {
    try FileManager.default.createDirectory(
      atPath: path.removingLastComponent().string, withIntermediateDirectories: true)
    try text.write(toFile: path.string, atomically: false, encoding: .utf8)
  }

  /// Publishes `{"id": …}`, with further keys if any, and returns the PUBACK's reason code.
  @discardableResult
  public func send(
    _ id: String, _ more: [String: JSON] = [:], on topic: String = "jobs/pending",
    properties: MessageProperties = MessageProperties()
  ) async throws -> ReasonCode {
    let request = JSON.object(more.merging(["id": .string(id)]) { $1 })
    return try await broker.publish(topic, request.text, properties: properties)
  }

  /// Collects result messages from now on.
  public func results() async throws -> Collector { try await broker.collect("jobs/results/#") }

  /// Collects events from now on.
  public func events() async throws -> Collector { try await broker.collect("jobs/events/#") }

  /// The text of a file below the job's folder; `nil` when there is none.
  public func text(_ id: String, _ path: String) -> String? {
    data(jobs.appending(id).pushing(FilePath(path))).map { String(decoding: $0, as: UTF8.self) }
  }

  /// A step's log so far.
  public func log(_ id: String, step: Int = 0) -> String { text(id, "results/step_\(step).log") ?? "" }

  /// The job's result.json; `null` while there is none.
  public func result(_ id: String) -> JSON {
    data(jobs.appending(id).appending("results/result.json")).flatMap { try? JSON($0) } ?? .null
  }

  /// Waits for the job's result.json.
  @discardableResult
  public func awaitResult(_ id: String, within limit: Duration = patience) async throws -> JSON {
    try await eventually("results/result.json of \(id)", within: limit) {
      let result = result(id)
      // A plain nil would be JSON's null.
      return result == .null ? JSON?.none : result
    }
  }

  /// The relative paths of everything below `folder`, with a `/` at the end of folders.
  public func listing(_ folder: FilePath) -> Set<String> {
    let entries = FileManager.default.enumerator(atPath: folder.string)
    var paths: Set<String> = []
    while let path = entries?.nextObject() as? String {
      let isFolder = entries?.fileAttributes?[.type] as? FileAttributeType == .typeDirectory
      paths.insert(isFolder ? path + "/" : path)
    }
    return paths
  }

  /// The entries on the volume, without the files through which workers coordinate.
  public var volume: Set<String> { listing(jobs).filter { !$0.hasPrefix(".worker/") } }

  /// The names of the claims.
  public var claims: [String] { names(jobs.appending(".worker/claims")) }

  /// The claims with their records, by name.
  public var claimRecords: [String: JSON] {
    let folder = jobs.appending(".worker/claims")
    return Dictionary(
      uniqueKeysWithValues: claims.map { ($0, data(folder.appending($0)).flatMap { try? JSON($0) } ?? .null) })
  }

  /// The deferred requests, as `<filter>/<file>`.
  public var deferred: [String] { requests(in: "waiting") }

  /// The parked requests, as `<filter>/<file>`. An empty file, which only reserves a name, does not count.
  public var parked: [String] {
    requests(in: "parked").filter {
      !$0.contains("/.") && data(jobs.appending(".worker/parked").pushing(FilePath($0)))?.isEmpty == false
    }
  }

  /// The undelivered results, as `<filter>/<file>`.
  public var undelivered: [String] { requests(in: "undelivered").filter { !$0.contains("/.") } }

  private func requests(in name: String) -> [String] {
    let folder = jobs.appending(".worker").appending(name)
    return names(folder).flatMap { filter in names(folder.appending(filter)).map { "\(filter)/\($0)" } }
  }

  /// The names of the member files.
  public var members: [String] { names(jobs.appending(".worker/members")).filter { !$0.hasPrefix(".") } }

  /// The lines of a worker's audit log. A line that is not JSON is a string.
  public func audit(of worker: String = "worker-01", in jobs: FilePath? = nil) -> [JSON] {
    let text = data((jobs ?? self.jobs).appending(".worker/audit/\(worker).jsonl")) ?? Data()
    return text.split(separator: UInt8(ascii: "\n")).map { line in
      (try? JSON(line)) ?? .string(String(decoding: line, as: UTF8.self))
    }
  }

  /// The workspaces, their lock files and the folders for temporary files.
  public var workspacesLeft: [String] {
    listing(workspaces).filter { path in
      path != ".worker/" && (!path.hasPrefix(".worker/") || path.hasSuffix(".lock") || path.contains(".tmp/"))
    }.sorted()
  }

  private func names(_ folder: FilePath) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.string)) ?? []).sorted()
  }

  private func data(_ path: FilePath) -> Data? { FileManager.default.contents(atPath: path.string) }
}
