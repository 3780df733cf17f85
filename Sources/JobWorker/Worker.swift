public import Logging
import SystemPackage

/// A one-shot worker: it takes one job, sees it through, and is done.
///
/// What keeps a job from being lost is the order of things here. Each step makes durable what the next one relies on, so
/// a kill between any two leaves a state from which the next worker goes on:
///
///     claim, PUBACK, stage, run, artifacts, result.json, publish, remove claim, purge
public struct Worker: Sendable {
  let ledger: Ledger
  let workspaces: WorkspacesDirectory
  let source: any JobSource
  let settings: WorkerSettings
  let stop: StopRequest
  let logger: Logger

  /// A worker that takes jobs from `source` and holds them in `ledger`. `stop` ends it early.
  public init(
    ledger: Ledger, workspaces: WorkspacesDirectory, source: any JobSource, settings: WorkerSettings,
    stop: StopRequest, logger: Logger
  ) {
    self.ledger = ledger
    self.workspaces = workspaces
    self.source = source
    self.settings = settings
    self.stop = stop
    self.logger = logger
  }

  /// Takes one job and sees it through. Returns its result, or `nil` when none was taken, or when another worker holds
  /// it by now.
  ///
  /// A step that fails is a result. Throws ``VolumeError`` when the volume fails, and what `source` throws when the
  /// result cannot be published; the claim then stays for the next worker.
  public func run() async throws -> JobResult? {
    guard let job = try await accept() else { return nil }
    await source.workerIsBusy()
    do {
      return try await perform(job)
    } catch is Superseded {
      logger.notice("another worker has taken the job over; leaving it", metadata: ["job": "\(job.claim.record.id)"])
      return nil
    }
  }

  private func perform(_ job: AcceptedJob) async throws -> JobResult {
    job.claim.keep(ledger.lease) { [ledger, stop, claim = job.claim] in
      guard (try? ledger.isSuperseded(claim)) == true else { return }
      stop.raise(.kill, reason: .superseded)
    }
    switch job.work {
    case .run(let definition, let folder):
      return try await carryOut(job, definition, folder)
    case .publish(let result):
      try await deliver(result, of: job)
      return result
    case .giveUp(let folder):
      let result = lost(job)
      try ResultsFolder.prepare(in: folder).write(result)
      try await deliver(result, of: job)
      return result
    }
  }

  private func carryOut(
    _ job: AcceptedJob, _ definition: JobDefinition, _ folder: JobFolder
  ) async throws -> JobResult {
    var report = JobReport(job, worker: ledger.worker)
    let results: ResultsFolder
    do {
      results = try ResultsFolder.prepare(in: folder)
    } catch {
      report.fail(error)
      try await deliver(report.result, of: job)
      return report.result
    }
    let workspace = try workspaces.make(job.claim.record.id)
    var tail: String?
    do {
      let snapshot = try await report.timing(\.stage) { try await workspace.stage(folder) }
      report.skipped += snapshot.skipped.map { SkippedPath(path: $0.path, reason: $0.reason) }
      await source.publish(job.event("started", ledger.worker))
      Checkpoint.started.reached()
      let steps = StepSequence(definition, job, workspace, results, folder, self)
      try await report.timing(\.run) { try await steps.run(into: &report) }
      tail = steps.failedLogTail(report)
      try await report.timing(\.sync) { try await sync(workspace, snapshot, folder, results, &report) }
    } catch let failure as JobFailure {
      report.fail(failure)
    }
    let result = report.finish(stop)
    do {
      try fence(job.claim)
      try results.write(result)
      Checkpoint.resultWritten.reached()
      try await deliver(result, of: job, tail: tail)
    } catch {
      try? await workspace.purge()
      throw error
    }
    try await workspace.purge()
    return result
  }

  private func sync(
    _ workspace: Workspace, _ snapshot: Snapshot, _ folder: JobFolder, _ results: ResultsFolder,
    _ report: inout JobReport
  ) async throws {
    do {
      let changes = try await workspace.changes(since: snapshot, folder)
      report.add(changes)
      report.add(try await results.export(changes, from: workspace))
    } catch let error as FileTreeError {
      throw JobFailure(.sync, "copying changed files to \(folder.path)/results: \(error)")
    }
  }

  /// Publishes, and only then lets go of the job.
  private func deliver(_ result: JobResult, of job: AcceptedJob, tail: String? = nil) async throws {
    try fence(job.claim)
    try await source.publish(ResultMessage(result: result, tail: tail), answering: job.claim.record.envelope)
    Checkpoint.published.reached()
    await source.publish(job.event("completed", ledger.worker))
    try ledger.release(job.claim)
    Checkpoint.released.reached()
  }

  /// Whoever holds a higher attempt answers for the job now.
  private func fence(_ claim: Claim) throws {
    if stop.reason == .superseded { throw Superseded() }
    if try ledger.isSuperseded(claim) { throw Superseded() }
  }
}

/// Another worker holds the job by now, because this one did not touch its claim for a whole lease.
struct Superseded: Error {}
