import SystemPackage
import TestSupport
import Testing

@testable import Jobs
@testable import Steps
@testable import Volume
@testable import Worker

@Suite struct StepSequenceTests {
  private let volume: VolumeFixture

  init() throws {
    volume = try VolumeFixture()
  }

  /// Runs the steps of a job, and returns the status of each. Calls `begins` before each step.
  private func run(
    _ definition: String, until stop: StopRequest, begins: @escaping @Sendable (Int) -> Void
  ) async throws -> [StepStatus] {
    let folder = try volume.job("job", definition)
    let identity = WorkerIdentity(id: try volume.worker("worker-01"), version: "1")
    let claim = ClaimRecord(
      id: try JobID("job"), attempt: 1, worker: "worker-01", process: identity.process, filter: nil,
      envelope: Envelope(payload: "{}", topic: "jobs/pending", requestId: RequestID("1")))
    let workspaces = try WorkspacesDirectory(volume.root.appending("workspaces"))
    var report = JobReport(claim, worker: identity)
    try await StepSequence(
      definition: try JobDefinition(json: Array(definition.utf8)), claim: claim,
      workspace: try workspaces.make(try JobID("job")), results: try ResultsFolder.prepare(in: folder),
      settings: WorkerSettings(), redaction: .none, stop: stop, relay: nil, fence: { .now + .seconds(1000) },
      begins: begins, tell: { _ in }, logger: silent
    ).run(into: &report)
    return report.steps.map(\.status)
  }

  /// The timeout shows whether a step continues after the cancellation.
  @Test func stepThatBeginsAsTheJobIsCanceledEndsAndIsNoneThatCleansUp() async throws {
    let stop = StopRequest()
    let definition = """
      {"steps": [{"run": "sleep 100", "timeout": "10s"}, {"run": "sleep 0.1", "always": true}, "true"]}
      """
    let statuses = try await run(definition, until: stop) { step in
      if step == 0 { stop.raise(.terminate, reason: .canceled) }
    }
    #expect(statuses == [.canceled, .success, .skipped])
  }
}
