package import Jobs
package import Logging
package import Steps
import SystemPackage
package import Volume

/// Takes one job and carries it to its end. A process makes one for each job that it takes; ``WorkerState`` outlives it.
///
/// The order of the following actions keeps a job from being lost. Each makes durable what the next one relies on, so after
/// a kill between any two of them the next worker can continue. The PUBACK of a deferred request came when it was deferred.
///
///     claim, PUBACK, stage, run, artifacts, result.json, publish, remove claim, purge
package struct Worker: Sendable {
  let ledger: Ledger
  let workspaces: WorkspacesDirectory
  let source: any JobSource
  let state: WorkerState
  let settings: WorkerSettings
  let stop: StopRequest
  let logger: Logger
  let gate: ApprovalGate
  let fence: ClaimFence
  let outbox: Outbox
  let admission: Admission
  private let retries = UndeliveredRetries()

  /// A worker that takes jobs from `source`, holds them in `ledger` and keeps `state` up to date. `stop` ends it early.
  package init(
    ledger: Ledger, workspaces: WorkspacesDirectory, source: any JobSource, state: WorkerState,
    settings: WorkerSettings, stop: StopRequest, logger: Logger
  ) {
    self.ledger = ledger
    self.workspaces = workspaces
    self.source = source
    self.state = state
    self.settings = settings
    self.stop = stop
    self.logger = logger
    gate = ApprovalGate(ledger: ledger, demand: settings.approval, source: source, logger: logger)
    fence = ClaimFence(ledger: ledger, patience: VolumePatience(limit: ledger.leaseDuration, logger: logger))
    outbox = Outbox(ledger: ledger, source: source, stop: stop, grace: settings.grace, logger: logger)
    admission = Admission(
      ledger: ledger, state: state, settings: settings, stop: stop, gate: gate, fence: fence, outbox: outbox,
      logger: logger)
  }

  /// Takes one job and carries it to its end.
  ///
  /// A failed step is a result, not an error. Throws ``VolumeError`` when the volume fails, the error of `source` when
  /// no offer can arrive any more, and ``Unpublished`` when the result cannot be published; the claim then stays for
  /// the next worker.
  package func run() async throws -> WorkerOutcome {
    let outcome: Result<WorkerOutcome, any Error>
    do { outcome = .success(try await runOnce()) } catch { outcome = .failure(error) }
    await retries.end()
    return try outcome.get()
  }

  private func runOnce() async throws -> WorkerOutcome {
    defer { settings.guardian?.forgetJob() }
    guard let job = try await accept() else { return .noJob }
    watchClaim(of: job)
    defer { job.claim.leave() }
    let metadata: Logger.Metadata = [
      "job": "\(job.claim.record.id)", "attempt": "\(job.claim.record.attempt)",
    ]
    logger.info("took a job", metadata: metadata)
    do {
      let outcome = try await withTasks([{ await obeyCancellations(of: job) }]) { try await perform(job) }
      tell(outcome.result, metadata)
      return outcome.refusal.map { .undelivered(outcome.result, $0) } ?? .finished(outcome.result)
    } catch is Lapsed {
      var entry = job.claim.entry(.superseded)
      entry.reason = StopReason.lapsed.rawValue
      ledger.audit.note(entry, logger)
      logger.warning("leaving the job to its next attempt", metadata: metadata)
      return .superseded
    } catch is Superseded {
      note(.superseded, job.claim)
      if try await fence.deferAgain(job.claim) {
        logger.warning(
          "the claim is gone, and nobody has taken the job over: its request waits for a worker again",
          metadata: metadata)
      } else {
        logger.notice("another worker has taken the job over; leaving it", metadata: metadata)
      }
      return .superseded
    }
  }

  /// Says how the job ended: in the log, nobody should have to look for a job that went wrong.
  private func tell(_ result: JobResult, _ metadata: Logger.Metadata) {
    let level: Logger.Level =
      switch result.status {
      case .success, .canceled: .info
      case .failed, .timeout, .rejected: .warning
      case .error, .lost: .error
      }
    var metadata = metadata
    metadata["exitCode"] = result.exitCode.map { "\($0)" }
    metadata["durationMs"] = "\(result.timing.durationMs)"
    let sentence = result.error.map { ": \($0)" } ?? ""
    logger.log(level: level, "the job ended: \(result.status.rawValue)\(sentence)", metadata: metadata)
  }

  /// Waits for a job and claims it; `nil` if the worker leaves without one.
  func accept() async throws -> AcceptedJob? {
    while let offer = try await source.next() {
      // As PID 1 of a container, this process inherits the orphans of other processes, even while no step runs.
      ProcessTree.reapOrphans()
      if case .request = offer { TestStopPoint.received.reached() }
      let job =
        switch offer {
        case .request(let offer): try await admission.admit(offer)
        case .look(let filter, let abandoned): try await look(for: filter, abandoned)
        }
      if let job {
        source.publish(job.event(.accepted, ledger.worker))
        return job
      }
    }
    return nil
  }

  private func look(for filter: String, _ abandoned: [ClaimFile]) async throws -> AcceptedJob? {
    retries.begin(try ledger.serving(filter).undelivered.due()) { [outbox, stop] name in
      if stop.level == .none { await outbox.deliverAgain(name, of: filter) }
    }
    return try await admission.admitWaiting(for: filter, abandoned)
  }

  /// Ends the job when another worker holds it, or may soon hold it. A dry run has no guardian for its lease: nobody
  /// takes it over, so it may stand still for any time.
  private func watchClaim(of job: AcceptedJob) {
    let guardian = ledger.filter == nil ? nil : settings.guardian
    guardian?.renew(job.claim.left)
    job.claim.afterEachTouch { [ledger, stop, claim = job.claim] in
      guardian?.renew(claim.left)
      // An error does not mean that the claim is lost: the next touch asks again.
      guard (try? ledger.isSuperseded(claim)) == true else { return }
      stop.raise(.kill, reason: .superseded)
    }
    job.claim.onLapse { [stop, logger, id = job.claim.record.id] age in
      logger.error(
        "the claim could not be touched for \(age.milliseconds) ms: ending the job, before another worker begins it",
        metadata: ["job": "\(id)"])
      stop.raise(.kill, reason: .lapsed)
    }
  }

  private func obeyCancellations(of job: AcceptedJob) async {
    var level = StopLevel.terminate
    let auditing = TaskThread("audit")
    await withDiscardingTaskGroup { group in
      for await cancellation in state.cancellations where job.isMeant(by: cancellation) {
        stop.raise(level, reason: .canceled)
        // A second cancellation does not wait for the cleanup steps.
        level = .kill
        var entry = job.claim.entry(.canceled)
        entry.by = cancellation.by
        // Nothing waits for it: the audit log is on the volume, which may not answer.
        group.addTask(executorPreference: auditing) { [ledger, logger, entry] in ledger.audit.note(entry, logger) }
      }
    }
  }

  /// The result of a job, and why it was not delivered, if so.
  typealias Ending = (result: JobResult, refusal: Unpublished?)

  private func perform(_ job: AcceptedJob) async throws -> Ending {
    // Writing the claim to disk may have taken longer than a lease. This worker must not move aside the files of a
    // successor.
    let isHeldUntil = try await fence.check(job.claim)
    return switch job.work {
    case .run(let plan): try await carryOut(job, JobRun(job, plan, self), isHeldUntil: isHeldUntil)
    case .publish(let result): try await deliver(ResultMessage(result: result, tail: nil), result, of: job)
    case .giveUp(let folder, let reason): try await giveUp(job, folder, reason)
    case .cancel(let plan, let canceler): try await cancel(job, plan, by: canceler)
    }
  }

  /// Carries the job from its acknowledged claim to its end.
  private func carryOut(
    _ job: AcceptedJob, _ run: JobRun, isHeldUntil limit: ContinuousClock.Instant
  ) async throws -> Ending {
    var run = run
    run.warnOfShortSecrets()
    try await makePlaces(of: &run, isHeldUntil: limit)
    do {
      await run.stage()
      await run.runSteps()
      await run.sync()
      run.saveCaches()
      try await fence.check(job.claim)
      if run.isLeftToNextAttempt { throw Lapsed() }
      let result = try run.writeResult()
      let ending = try await deliver(run.message(result), result, of: job)
      run.purge()
      try? ledger.seen.clear(beside: run.request)
      return ending
    } catch {
      run.purge()
      // If results cannot be written, another worker may hold the job and may have moved them aside.
      if error is VolumeError { try await fence.check(job.claim) }
      throw error
    }
  }

  /// Makes the workspace and results/. If there is no place for them, the request is given back: this worker would spoil
  /// one job after the other, and another host or a later time may have one.
  private func makePlaces(of run: inout JobRun, isHeldUntil limit: ContinuousClock.Instant) async throws {
    let claim = run.job.claim
    do {
      try run.makeWorkspace()
      // That may have taken longer than a lease, too.
      if .now >= limit { try await fence.check(claim) }
      try run.makeResults()
    } catch {
      run.purge()
      if error is NoWorkspace || error is VolumeError {
        try await fence.giveBack(run.request, claim)
        outbox.tellWaiting(claim.record.filter ?? "")
      }
      throw error
    }
  }

  /// Publishes the result, or puts it aside if the broker does not take it. Releases the claim only after that.
  func deliver(_ message: ResultMessage, _ result: JobResult, of job: AcceptedJob) async throws -> Ending {
    try await fence.check(job.claim)
    note(.completed, job.claim, result)
    try await outbox.withdraw(job.claim.record.id)
    let (envelope, event) = (job.claim.record.envelope, job.ending(result, ledger.worker))
    var refusal: Unpublished?
    do {
      try await outbox.publish(message, answering: envelope)
      note(.published, job.claim, result)
      TestStopPoint.published.reached()
      source.publish(event)
    } catch let undeliverable as Undeliverable {
      // The broker's refusal may have taken more than a lease. Another worker may have published a newer result
      // meanwhile.
      try await fence.check(job.claim)
      try outbox.putAside(
        message, of: job.claim.record.id, for: job.claim.record.filter, answering: envelope, ending: event,
        undeliverable)
      TestStopPoint.putAside.reached()
      refusal = Unpublished(cause: undeliverable.cause)
    }
    ledger.removeCancelMarks(of: envelope, job.claim.record.id, keyless: job.endsMark(result))
    try await fence.release(job.claim)
    TestStopPoint.released.reached()
    return (result, refusal)
  }

  /// Writes an event of a job into the audit log.
  package func note(_ event: AuditEntry.Event, _ claim: Claim, _ result: JobResult? = nil) {
    var entry = claim.entry(event)
    if let result {
      // The result may be of an earlier attempt, by another worker.
      if result.workerId != ledger.worker.id.text { entry.from = result.workerId }
      entry.attempt = result.attempt
      (entry.status, entry.exitCode) = (result.status.rawValue, result.exitCode)
      (entry.error, entry.reason) = (result.error, result.reason)
    }
    ledger.audit.note(entry, logger)
  }

  /// Makes the job's results/. Throws ``JobFailure``, and ``VolumeError`` if the volume is full or away: that is no result
  /// of the job. The job's folder may be another file system, or have a quota: then no other job fails.
  func results(of job: AcceptedJob, _ folder: JobFolder) throws -> ResultsFolder {
    do {
      return try ResultsFolder.prepare(in: folder, for: job.claim.record.attempt) {
        [ledger, claim = job.claim] in !ledger.hasCertainlyLost(claim)
      }
    } catch {
      guard let cause = error.cause, cause.saysAway || cause.isForRoom && !ledger.directory.hasRoom else { throw error }
      throw VolumeError("making", folder.path.appending(JobsDirectory.results), cause)
    }
  }
}

/// How a worker ended.
package enum WorkerOutcome: Sendable {
  /// The worker carried a job to its end.
  case finished(JobResult)
  /// The worker carried a job to its end, and the broker did not take the result. The result is put aside, and a worker
  /// tries it again.
  case undelivered(JobResult, Unpublished)
  /// There was no job: the worker was asked to stop, or was idle for too long.
  case noJob
  /// The worker had a job that another worker holds by now, or that is left to a next attempt.
  case superseded

  /// Whether there was a job.
  package var hadJob: Bool {
    if case .noJob = self { false } else { true }
  }
}
