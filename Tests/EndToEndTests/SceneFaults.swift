import Foundation
import SystemPackage
import TestSupport
import Testing

extension Scene {
  /// A worker with the default id and filter.
  func worker(
    _ arguments: [String], environment: [String: String] = [:], stopAt checkpoint: String? = nil
  ) throws -> WorkerProcess {
    try worker("worker-01", on: "jobs/pending", arguments, environment: environment, stopAt: checkpoint)
  }

  /// A worker with the default filter.
  func worker(
    _ id: String, _ arguments: [String], environment: [String: String] = [:], stopAt checkpoint: String? = nil
  ) throws -> WorkerProcess {
    try worker(id, on: "jobs/pending", arguments, environment: environment, stopAt: checkpoint)
  }

  /// A worker with the default id.
  func worker(
    on filter: String, _ arguments: [String], environment: [String: String] = [:], stopAt checkpoint: String? = nil
  ) throws -> WorkerProcess {
    try worker("worker-01", on: filter, arguments, environment: environment, stopAt: checkpoint)
  }

  /// Removes a file, or a folder with its content.
  func remove(_ path: FilePath) throws {
    try FileManager.default.removeItem(atPath: path.string)
  }

  /// A command that waits until the gate is open.
  var waitForGate: String { "until [ -e '\(gate)' ]; do sleep 0.02; done" }

  private var gate: FilePath { files.appending("gate") }

  /// Opens the gate.
  func openGate() throws { try write("", gate) }

  /// Closes the gate.
  func closeGate() throws { try remove(gate) }

  /// A command that waits for the guardian of the worker that started this shell, and sets `$guardian` to its pid.
  var findGuardian: String {
    """
    guardian=; until [ "$guardian" ]; do
      for child in $(cat /proc/$PPID/task/*/children); do
        if grep -aq '^mqtt-fs-worker guardian' /proc/$child/cmdline; then guardian=$child; fi
      done
    done
    """
  }

  /// A command that adds a line to `runs` in the job's folder, to count the runs.
  var noteRun: String { "echo run >> $JOB_RESULTS_DIR/../runs" }

  /// How often a step with ``noteRun`` has run.
  func runs(_ id: String) -> Int { (text(id, "runs") ?? "").split(separator: "\n").count }
}

extension Scene {
  /// The claim of the job `job`.
  var claim: FilePath { jobs.appending(".worker/claims/job.1.json") }

  /// Waits until the claim of the job `job` has not been touched for so long.
  func untilClaimIsOlder(than age: TimeInterval) async throws {
    try await eventually("an old claim") {
      let attributes = try FileManager.default.attributesOfItem(atPath: claim.string)
      return Date().timeIntervalSince(try #require(attributes[.modificationDate] as? Date)) > age
    }
  }
}
