import FoundationEssentials
import Jobs
import Logging
import Settings
import Signing
import Steps
import Synchronization
import SystemPackage
import Volume
import Worker

/// A job without MQTT: the request comes from a file, and the result message goes to stdout.
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
    request.warn(setup.logger)
    try FileManager.default.createDirectory(atPath: setup.jobs.string, withIntermediateDirectories: true)
    let ledger = try Ledger(JobsDirectory(setup.jobs), worker: setup.identity, filters: [], lease: setup.lease)
    let stop = StopRequest()
    // A dry run ends with its job anyway.
    Signals.stop(stop, setup.logger, grace: setup.settings.grace, finishing: setup.finishing) {}
    let workspaces = try setup.openWorkspaces()
    try setup.tryOut(workspaces)
    let answer = Mutex<ResultMessage?>(nil)
    let source = DryRunSource(request, Array(bytes)) { message in answer.withLock { $0 = message } }
    let worker = Worker(
      ledger: ledger, workspaces: workspaces, source: source,
      state: WorkerState(ledger, stop: stop, logger: setup.logger), settings: setup.settings, stop: stop,
      logger: setup.logger)
    let outcome = try await worker.run()
    let failure = try print(answer.withLock(\.self))
    switch outcome {
    case .finished(let result) where result.status == .rejected: throw ExitStatus.badPayload
    case .finished(let result):
      // The failure of a job is more important.
      if result.exitCode == 0, let failure { throw failure }
      throw ExitStatus(rawValue: Int32(truncatingIfNeeded: result.exitCode ?? 70))
    case .superseded, .undelivered: throw ExitStatus.tryAgain
    case .noJob: throw stop.isShutdown ? ExitStatus.terminated : ExitStatus.badPayload
    }
  }

  /// Prints the result message, and returns why that failed.
  private func print(_ message: ResultMessage?) throws -> (any Error)? {
    guard let message else { return nil }
    let line = try message.encoded() + [UInt8(ascii: "\n")]
    do { try Output.write(line) } catch { return error }
    return nil
  }
}
