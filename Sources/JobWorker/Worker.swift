import FileTree
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

  /// Takes one job and sees it through.
  ///
  /// A step that fails is a result. Throws ``VolumeError`` when the volume fails, and what `source` throws when the
  /// result cannot be published; the claim then stays for the next worker.
  public func run() async throws -> WorkerOutcome {
    guard let job = try await accept() else { return .noJob }
    job.claim.keep(ledger.lease) { [ledger, stop, claim = job.claim] in
      guard (try? ledger.isSuperseded(claim)) == true else { return }
      stop.raise(.kill, reason: .superseded)
    }
    let cancellation = Task { [source, stop, id = job.claim.record.id] in
      for await canceled in source.cancellations where canceled == id { stop.raise(.terminate, reason: .canceled) }
    }
    defer { cancellation.cancel() }
    await source.workerIsBusy()
    do {
      return .finished(try await perform(job))
    } catch is Superseded {
      logger.notice("another worker has taken the job over; leaving it", metadata: ["job": "\(job.claim.record.id)"])
      return .superseded
    }
  }

  private func perform(_ job: AcceptedJob) async throws -> JobResult {
    switch job.work {
    case .run(let definition, let folder):
      return try await carryOut(job, definition, folder)
    case .publish(let result):
      try await deliver(result, of: job, .written(tail: nil))
      return result
    case .giveUp(let folder):
      var report = JobReport(job.claim.record, worker: ledger.worker)
      report.giveUp(after: job.claim.record.attempt - 1)
      let result = report.close()
      try ResultsFolder.prepare(in: folder).write(result)
      try await deliver(result, of: job, .written(tail: nil))
      return result
    }
  }

  private func carryOut(
    _ job: AcceptedJob, _ definition: JobDefinition, _ folder: JobFolder
  ) async throws -> JobResult {
    var report = JobReport(job.claim.record, worker: ledger.worker)
    let results: ResultsFolder
    do {
      results = try ResultsFolder.prepare(in: folder)
    } catch {
      report.fail(error)
      let result = report.finish(stoppedBy: nil)
      try await deliver(result, of: job, .unwritten)
      return result
    }
    let workspace = await carryOut(job, definition, folder, results, &report)
    let result = report.finish(stoppedBy: stop.reason)
    do {
      try fence(job.claim)
      try results.write(result)
      Checkpoint.resultWritten.reached()
      try await deliver(result, of: job, .written(tail: report.tail))
    } catch {
      await purge(workspace)
      throw error
    }
    await purge(workspace)
    return result
  }

  /// Stages, runs and syncs; what goes wrong on the way is in the report.
  private func carryOut(
    _ job: AcceptedJob, _ definition: JobDefinition, _ folder: JobFolder, _ results: ResultsFolder,
    _ report: inout JobReport
  ) async -> Workspace? {
    var workspace: Workspace?
    do {
      if job.claim.record.attempt > 1 { try await endRemains(in: results) }
      let made = try makeWorkspace(job.claim.record.id)
      workspace = made
      let snapshot = try await report.timing(\.stageMs) { _ in try await made.stage(folder) }
      report.skipped += snapshot.skipped.map(SkippedPath.init)
      await source.publish(job.event(.started, ledger.worker))
      Checkpoint.started.reached()
      let steps = StepSequence(
        definition: definition, claim: job.claim.record, workspace: made, results: results, settings: settings,
        stop: stop
      ) { [source] step in
        let claim = job.claim.record
        await source.publish(JobEvent(step: step, id: claim.id, workerId: claim.worker, attempt: claim.attempt))
      }
      do {
        try await report.timing(\.runMs) { report in try await steps.run(into: &report) }
      } catch let failure as JobFailure {
        report.fail(failure)
      }
      try await report.timing(\.syncMs) { report in try await sync(made, snapshot, folder, results, &report) }
    } catch let failure as JobFailure {
      report.fail(failure)
    } catch {
      report.fail(JobFailure(.run, "\(error)"))
    }
    return workspace
  }

  /// No two attempts of a job are at work at once: what an earlier one left running on this host ends before this starts.
  private func endRemains(in results: ResultsFolder) async throws {
    try await onThread { ProcessTree.killAll(carrying: "JOB_RESULTS_DIR=\(results.path)") }
  }

  private func makeWorkspace(_ id: JobID) throws(JobFailure) -> Workspace {
    do {
      return try workspaces.make(id)
    } catch {
      throw JobFailure(.stage, "\(error)")
    }
  }

  /// What cannot be removed now is removed by the next worker on this host.
  private func purge(_ workspace: Workspace?) async {
    do {
      try await workspace?.purge()
    } catch {
      logger.warning("the workspace is left behind: \(error)")
    }
  }

  private func sync(
    _ workspace: Workspace, _ snapshot: Snapshot, _ folder: JobFolder, _ results: ResultsFolder,
    _ report: inout JobReport
  ) async throws {
    do {
      let changes = try await workspace.changes(since: snapshot, folder)
      report.add(changes)
      report.add(try await results.export(changes, from: workspace))
    } catch {
      throw JobFailure(.sync, "copying changed files to \(results.path): \(error)")
    }
  }

  /// Whether a result stands in the job's results/, and what the message tells of its failed step.
  private enum Record {
    case written(tail: String?)
    case unwritten
  }

  /// Publishes, and only then lets go of the job.
  private func deliver(_ result: JobResult, of job: AcceptedJob, _ record: Record) async throws {
    try fence(job.claim)
    var message = ResultMessage(result: result, tail: nil)
    switch record {
    case .written(let tail): message.tail = tail
    case .unwritten: message.manifestFile = nil
    }
    try await publish(message, answering: job.claim.record.envelope)
    Checkpoint.published.reached()
    await source.publish(job.event(.completed, ledger.worker))
    try ledger.release(job.claim)
    Checkpoint.released.reached()
  }

  /// Waits for the result to arrive as long as it takes, but only for the grace once the worker is asked to stop.
  private func publish(_ message: ResultMessage, answering envelope: Envelope) async throws {
    let patience = Task { [stop, source, grace = settings.grace] in
      await stop.raised()
      try await Task.sleep(for: grace)
      await source.close()
    }
    defer { patience.cancel() }
    do {
      try await source.publish(message, answering: envelope)
    } catch {
      throw Unpublished(cause: error)
    }
  }

  /// Whoever holds a higher attempt answers for the job now.
  private func fence(_ claim: Claim) throws {
    if stop.reason == .superseded { throw Superseded() }
    if try ledger.isSuperseded(claim) { throw Superseded() }
  }
}

/// How the life of a worker ended.
public enum WorkerOutcome: Sendable {
  /// It saw a job through.
  case finished(JobResult)
  /// It was asked to stop, or there was nothing to do for too long.
  case noJob
  /// It had a job that another worker holds by now.
  case superseded
}

/// Another worker holds the job by now, because this one did not touch its claim for a whole lease.
struct Superseded: Error {}

/// A job's result stands on the volume and could not be published; the next worker does it.
public struct Unpublished: Error, CustomStringConvertible {
  /// What the source said.
  public let cause: any Error

  /// A sentence for the user.
  public var description: String {
    "the result is kept on the volume but could not be published: \(cause); the next worker publishes it"
  }
}
