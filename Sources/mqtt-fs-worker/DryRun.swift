import FoundationEssentials
import Glibc
import Jobs
import Signing
import Steps
import SystemPackage
import Volume
import Worker

/// A job without MQTT: the request comes from a file, and its result message goes to stdout.
struct DryRun {
  let payload: FilePath
  let setup: WorkerSetup

  func run() async throws {
    guard let bytes = FileManager.default.contents(atPath: payload.string) else {
      throw InvalidInput(
        description:
          "\(payload) cannot be read; a dry run needs a request there, like {\"id\": \"try\", \"steps\": [\"make\"]}")
    }
    let request = try setup.settings.reader.arriving(Array(bytes))
    try FileManager.default.createDirectory(atPath: setup.jobs.string, withIntermediateDirectories: true)
    let ledger = try Ledger(JobsDirectory(setup.jobs), worker: setup.identity, filter: nil, lease: setup.lease)
    let stop = StopRequest()
    StopSignals.raise(stop, setup.logger, grace: setup.settings.grace)
    let worker = Worker(
      ledger: ledger, workspaces: try setup.openWorkspaces(), source: PayloadSource(request, Array(bytes)),
      settings: setup.settings, stop: stop, logger: setup.logger)
    guard case .finished(let result) = try await worker.run() else {
      throw stop.isShutdown ? ExitStatus.terminated : ExitStatus.badPayload
    }
    if result.status == .rejected { throw ExitStatus.badPayload }
    throw ExitStatus(rawValue: Int32(truncatingIfNeeded: result.exitCode ?? 70))
  }
}
