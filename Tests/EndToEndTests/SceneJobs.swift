import Foundation
import SystemPackage
import TestSupport
import Testing

extension Scene {
  /// Runs one job on the volume with a worker with these further arguments, and returns its result.json.
  func outcome(
    of id: String = "job", _ arguments: [String] = [], environment: [String: String] = [:],
    within limit: Duration = .seconds(60)
  ) async throws -> JSON {
    let worker = try worker("worker-01", on: "jobs/pending", arguments, environment: environment)
    try await worker.listens()
    try await send(id)
    #expect(try await worker.end(within: limit) == .code(0))
    return result(id)
  }

  /// A file for a step to wait for, with ``waiting(for:)``; ``open(_:)`` makes it.
  func gate(_ name: String = "gate") -> FilePath { files.appending(name) }

  /// Makes the file that a step waits for.
  func open(_ gate: FilePath) throws { try write("", gate) }

  /// A command that ends when the gate is opened.
  func waiting(for gate: FilePath) -> String { "until [ -e '\(gate)' ]; do sleep 0.02; done" }

  /// The entries in the job's results/.
  func results(of id: String = "job") -> Set<String> { listing(jobs.appending(id).appending("results")) }
}
