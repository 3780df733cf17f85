import FileTree
import Jobs
import Logging
import Steps
import Volume

/// One attempt of a job between its claim and its result: the results folder, the workspace, the steps and the export.
///
/// A failure is noted in the report, and the later parts do what they still can.
struct JobRun {
  let job: AcceptedJob
  private(set) var plan: JobPlan
  let worker: Worker
  private var redaction: Redaction
  private var report: JobReport
  private var results: ResultsFolder?
  private var workspace: Workspace?
  private var snapshot: Snapshot?
  private var caches: JobCaches?

  init(_ job: AcceptedJob, _ plan: JobPlan, _ worker: Worker) {
    self.job = job
    self.plan = plan
    self.worker = worker
    redaction = worker.settings.redaction(of: plan.definition)
    report = JobReport(job.claim.record, worker: worker.ledger.worker, redacting: redaction)
  }

  /// The job's request.
  var request: JobRequest { plan.request }

  /// The end of the decisive step's log.
  var tail: String? { report.tail }

  private var folder: JobFolder { plan.folder }

  /// Makes the workspace. Throws ``NoWorkspace``, which is no result of the job.
  mutating func makeWorkspace() throws(NoWorkspace) {
    worker.endRemains(of: job, folder)
    do {
      workspace = try worker.workspaces.make(job.claim.record.id)
    } catch {
      throw NoWorkspace(cause: error)
    }
  }

  /// Makes results/. Throws ``VolumeError`` if the volume is full or away, which is no result of the job either.
  mutating func makeResults() throws {
    do {
      let results = try worker.results(of: job, folder)
      if let notice = results.notice { report.skipped.append(notice) }
      results.reserve(JobResult.likelySize(plan.definition.steps))
      self.results = results
    } catch let failure as JobFailure {
      report.fail(failure)
    }
  }

  /// Copies the job's folder into the workspace, and checks that the copy is what the request asks for.
  mutating func stage() async {
    guard let workspace, results != nil else { return }
    await noting(\.stageMs) { run throws in
      guard let snapshot = try run.copy(into: workspace) else { return }
      guard let plan = try run.check(workspace) else { return }
      run.plan = plan
      if case .verified = run.plan.staging {
        // The staged job.json may differ from the one that was read first, and may hold other secrets.
        do throws(Unapproved) {
          try run.worker.gate.check(run.job.claim.record.envelope, run.plan.reading)
        } catch {
          throw error.rejection(of: run.folder.id)
        }
        run.redaction = run.worker.settings.redaction(of: run.plan.definition)
        run.report.redaction = run.redaction
      }
      run.snapshot = snapshot
      run.warn(of: snapshot.unkeptAttributes, in: "the workspace")
      run.report.skipped += snapshot.skipped.map(SkippedPath.init)
      run.restoreCaches(in: workspace)
    }
  }

  private mutating func restoreCaches(in workspace: Workspace) {
    let rules = plan.definition.caches
    guard !rules.isEmpty, let directory = worker.settings.caches, directory.limit > 0 else { return }
    var caches = JobCaches(
      directory, filter: job.claim.record.filter, signedBy: request.signature?.keyID, workspace, worker.stop,
      worker.logger)
    for rule in rules where worker.stop.level == .none { report.add(caches.restore(rule)) }
    self.caches = caches
  }

  /// Saves what a successful job leaves for the next one.
  mutating func saveCaches() {
    guard report.isSuccessful, let caches else { return }
    caches.save { report.saved($0) }
  }

  /// Copies the job's folder; `nil` when a stop request ended the copying.
  private mutating func copy(into workspace: Workspace) throws -> Snapshot? {
    guard plan.staging != .nothing else { return .empty }
    let (folder, stop) = (folder, worker.stop)
    // What was signed is staged whole.
    let selection = plan.staging == .folder ? plan.definition.stageSelection : .all
    let feed = feed(.stage) {
      let files = try? FileTree.files(
        in: folder.descriptor, selecting: selection, excluding: JobsDirectory.reserved,
        isCanceled: { stop.level > .none })
      return files.map { CopyTotal(files: $0.count, bytes: $0.reduce(0) { $0 &+ $1.size }) }
    }
    return try unlessStopped {
      try feed.follow { progress in
        try workspace.stage(folder, selecting: selection, progress: progress, isCanceled: { stop.level > .none })
      }
    }
  }

  /// The plan according to the staged files; `nil` when a stop request ended the check.
  private mutating func check(_ workspace: Workspace) throws -> JobPlan? {
    let (plan, stop) = (plan, worker.stop)
    return try unlessStopped { try workspace.check(plan, isCanceled: { stop.level > .none }) }
  }

  private mutating func unlessStopped<T>(_ body: () throws -> T) throws -> T? {
    do {
      return try body()
    } catch let failure as JobFailure {
      guard worker.stop.level > .none else { throw failure }
      report.stoppedBy = worker.stop.reason
      report.steps = plan.definition.steps.enumerated().map { StepResult(skipped: $1, $0) }
      return nil
    }
  }

  /// Runs the steps, unless staging failed or the staged files were rejected.
  mutating func runSteps() async {
    guard let results, let workspace, snapshot != nil else { return }
    warnOfDefinition()
    let (source, ledger, logger) = (worker.source, worker.ledger, worker.logger)
    worker.note(.started, job.claim)
    var started = job.event(.started, ledger.worker)
    started.publishesLogs = worker.settings.logRelaying == .on ? true : nil
    source.publish(started)
    TestStopPoint.started.reached()
    let tell: @Sendable (StepResult) async -> Void = { [claim = job.claim] step in
      var entry = claim.entry(.step)
      (entry.step, entry.commandDigest) = (step.index, digestText(of: Array(step.command.utf8)))
      (entry.status, entry.exitCode) = (step.status.rawValue, step.exitCode)
      ledger.audit.note(entry, logger)
      let claim = claim.record
      source.publish(
        JobEvent(
          step: step, id: claim.id, requestId: claim.envelope.requestId, workerId: claim.worker, attempt: claim.attempt)
      )
    }
    let steps = StepSequence(
      definition: plan.definition, claim: job.claim.record, workspace: workspace, results: results,
      settings: worker.settings, redaction: redaction, stop: worker.stop, relay: relay(of: job.claim.record),
      fence: { [fence = worker.fence, claim = job.claim] in try await fence.check(claim) },
      patience: worker.fence.patience,
      begins: { [job, state = worker.state, count = plan.definition.steps.count] step, name in
        state.move(to: job.place(step: step))
        var event = job.event(.stepStarted, ledger.worker)
        (event.step, event.steps, event.name) = (step, count, name)
        source.publish(event)
      },
      tell: tell, logger: logger)
    await noting(\.runMs) { run in try await steps.run(into: &run.report) }
  }

  private func relay(of claim: ClaimRecord) -> (@Sendable (StepOutput) async -> Void)? {
    guard worker.settings.logRelaying == .on else { return nil }
    return { [source = worker.source] output in await source.publish(output, of: claim) }
  }

  /// Exports the changed files to results/, whatever the steps' outcome, until ``SyncLimit`` is reached.
  mutating func sync() async {
    guard let results, let workspace, let snapshot else { return }
    let limit = SyncLimit(worker.stop, grace: worker.settings.grace, deadline: report.deadline)
    await noting(\.syncMs) { run throws in
      do {
        let export = ArtifactExport(
          plan: run.plan, workspace: workspace, snapshot: snapshot, results: results, limit: limit,
          patience: run.worker.fence.patience, outputsSize: run.report.outputsSize)
        let (changes, copied) = try await export.run { [run] in run.feed(.sync, counting: $0) }
        run.report.add(changes)
        run.report.add(copied)
        run.warn(of: copied.unkeptAttributes, in: "results/")
        guard copied.unfinished.isEmpty else {
          return run.report.endSync(run.worker.stop.reason, missing: "\(copied.unfinished.count) changed files")
        }
        let required = run.plan.definition.artifacts.required
        guard run.report.isSuccessful, !required.isEmpty else { return }
        if let artifact = try workspace.missing(required, isCanceled: { limit.isReached }) {
          run.report.misses(artifact)
        }
      } catch let failure as JobFailure {
        throw failure
      } catch let error as FileTreeError where error.isCancellation {
        run.report.flag(
          SkippedPath(
            path: WorkspacePath(JobsDirectory.results),
            reason: "what the steps changed was not looked for to the end, and is missing"))
        run.report.endSync(run.worker.stop.reason, missing: "what the steps changed")
      } catch {
        let cause = (error as? FileTreeError)?.errno
        throw JobFailure(.sync, "copying changed files to \(results.path): \(error)", cause: cause)
      }
    }
  }

  /// Whether the worker ended the job because it could not keep its claim, and another attempt may still follow. Then
  /// the claim stays for that attempt, as it does when a worker dies.
  var isLeftToNextAttempt: Bool { report.stoppedBy == .lapsed && hasNextAttempt }

  private var hasNextAttempt: Bool { job.count < plan.definition.maxAttempts ?? worker.settings.maxAttempts }

  /// Writes result.json, if the job still has a results folder.
  mutating func writeResult() throws(VolumeError) -> JobResult {
    if folder.isRemoved || folder.isMovedAway(from: worker.ledger.directory) {
      report.fail(
        JobFailure(.sync, "\(folder.path) was removed while the job ran, or moved; its results have no place"))
      results = nil
    }
    report.warn(plan.warnings)
    guard let results else { return report.finish() }
    do {
      report.flag(try results.restore())
    } catch {
      worker.logger.warning("\(error)")
    }
    report.flag(results.foreignResult)
    let result = report.finish()
    try results.write(result)
    TestStopPoint.resultWritten.reached()
    return result
  }

  /// The message for the broker.
  func message(_ result: JobResult) -> ResultMessage {
    var message = ResultMessage(result: result, tail: report.tail)
    if results == nil { message.manifestFile = nil }
    return message
  }

  /// Removes the workspace. The next worker on this host removes what cannot be removed now.
  func purge() {
    do {
      try workspace?.purge()
    } catch {
      worker.logger.warning("\(error)")
    }
  }

  private func feed(
    _ phase: JobProgress.Phase, counting count: @escaping @Sendable () -> CopyTotal?
  ) -> ProgressFeed {
    let claim = job.claim.record
    let tell: @Sendable (JobProgress) -> Void = { [source = worker.source] in
      source.publish(JobEvent(progress: $0, of: claim))
    }
    return ProgressFeed(id: claim.id, phase: phase, show: worker.settings.onProgress, tell: tell, count: count)
  }

  /// Runs one part of the job, and notes its duration and its failure.
  private mutating func noting(
    _ part: any WritableKeyPath<JobTiming, Int?> & Sendable, _ body: (inout JobRun) async throws -> Void
  ) async {
    let start = ContinuousClock.now
    do {
      try await body(&self)
    } catch is Superseded {
      // The fence before the result throws this again.
      report.stoppedBy = .superseded
    } catch let invalid as InvalidInput where invalid.fault == nil {
      worker.logger.warning("rejected: \(invalid)", metadata: ["job": "\(job.claim.record.id)"])
      report.reject(invalid)
    } catch
      where (error is VolumeError || VolumePatience.isOfAbsence(error)) && hasNextAttempt && worker.ledger.filter != nil
    {
      worker.logger.error("\(error)", metadata: ["job": "\(job.claim.record.id)"])
      report.stoppedBy = report.stoppedBy ?? .lapsed
    } catch {
      report.fail(error as? JobFailure ?? JobFailure(.run, "\(error)"))
    }
    report.took(part, ContinuousClock.now - start)
  }
}
