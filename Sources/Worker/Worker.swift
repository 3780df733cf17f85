package import Jobs
package import Logging
package import Steps
package import Volume

/// A worker that takes one job, sees it through, and is done.
///
/// The order of these keeps a job from being lost. Each makes durable what the next one relies on, so a kill between any two leaves
/// a state from which the next worker goes on:
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
  private let redelivery = Redelivery()

  /// A worker that takes jobs from `source`, holds them in `ledger` and keeps `state` true. `stop` ends it early.
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
    fence = ClaimFence(ledger: ledger, logger: logger)
    outbox = Outbox(ledger: ledger, source: source, stop: stop, grace: settings.grace, logger: logger)
    admission = Admission(
      ledger: ledger, state: state, settings: settings, stop: stop, gate: gate, fence: fence, outbox: outbox,
      logger: logger)
  }

  /// Takes one job and sees it through.
  ///
  /// A step that fails is a result. Throws ``VolumeError`` when the volume fails, and the error of `source` when the
  /// result cannot be published; the claim then stays for the next worker.
  package func run() async throws -> WorkerOutcome {
    let outcome: Result<WorkerOutcome, any Error>
    do { outcome = .success(try await live()) } catch { outcome = .failure(error) }
    await redelivery.end()
    return try outcome.get()
  }

  private func live() async throws -> WorkerOutcome {
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
      logger.info("the job ended: \(outcome.result.status)", metadata: metadata)
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

  /// Waits for a job and claims it: first from what lies on the volume, then from what arrives.
  func accept() async throws -> AcceptedJob? {
    while let offer = try await source.next() {
      // As PID 1 of a container this process inherits the orphans of others, also while no step runs.
      ProcessTree.reapOrphans()
      if case .request = offer { TestStopPoint.received.reached() }
      let job =
        switch offer {
        case .request(let offer): try await admission.admit(offer)
        case .look: try await scanVolume()
        }
      if let job {
        source.publish(job.event(.accepted, ledger.worker))
        return job
      }
    }
    return nil
  }

  private func scanVolume() async throws -> AcceptedJob? {
    if ledger.filter != nil {
      redelivery.begin(try ledger.undelivered.due()) { [outbox, stop] name in
        if stop.level == .none { await outbox.deliverAgain(name) }
      }
    }
    return try await admission.scanVolume()
  }

  /// Ends the job when it is another worker's, or may soon be. Nobody takes over a dry run: it may stand still for any time.
  private func watchClaim(of job: AcceptedJob) {
    let guardian = ledger.filter == nil ? nil : settings.guardian
    guardian?.renew(job.claim.left)
    job.claim.afterEachTouch { [ledger, stop, claim = job.claim] in
      guardian?.renew(claim.left)
      // An error is no answer: it is asked again with the next touch.
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
    for await cancellation in state.cancellations where job.isMeant(by: cancellation) {
      // First: the audit log lies on the volume, which may not answer.
      stop.raise(level, reason: .canceled)
      // A second request does not wait for the steps that clean up.
      level = .kill
      var entry = job.claim.entry(.canceled)
      entry.by = cancellation.by
      try? await onThread { [ledger, logger, entry] in ledger.audit.note(entry, logger) }
    }
  }

  /// The result of a job, and why it is not delivered if it is not.
  private typealias Ending = (result: JobResult, refusal: Unpublished?)

  private func perform(_ job: AcceptedJob) async throws -> Ending {
    // It may have taken longer than a lease until the claim was on disk; nothing of a successor's may be moved aside.
    try await fence.check(job.claim)
    return switch job.work {
    case .run(let plan): try await carryOut(job, JobRun(job, plan, self))
    case .publish(let result): try await deliver(ResultMessage(result: result, tail: nil), result, of: job)
    case .giveUp(let folder, let reason): try await giveUp(job, folder, reason)
    }
  }

  /// The job from its claim, which is acknowledged by now, to its end.
  private func carryOut(_ job: AcceptedJob, _ run: JobRun) async throws -> Ending {
    var run = run
    do {
      run.warnOfShortSecrets()
      await run.stage()
      await run.runSteps()
      await run.sync()
      try await fence.check(job.claim)
      if run.isLeftToNextAttempt { throw Lapsed() }
      let result = try run.writeResult()
      let ending = try await deliver(run.message(result), result, of: job)
      run.purge()
      try? ledger.seen.clear(beside: run.request)
      return ending
    } catch {
      run.purge()
      // If results cannot be written, another worker may hold the job by now and have moved them aside.
      if error is VolumeError { try await fence.check(job.claim) }
      throw error
    }
  }

  /// Publishes the result, or puts it aside if the broker does not take it, and only then lets go of the job.
  private func deliver(_ message: ResultMessage, _ result: JobResult, of job: AcceptedJob) async throws -> Ending {
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
      // The refusal may have come after more than a lease, and another worker may have published a newer result since.
      try await fence.check(job.claim)
      try outbox.putAside(message, of: job.claim.record.id, answering: envelope, ending: event, undeliverable)
      TestStopPoint.putAside.reached()
      refusal = Unpublished(cause: undeliverable.cause)
    }
    try await fence.release(job.claim)
    TestStopPoint.released.reached()
    return (result, refusal)
  }

  /// Answers for a job that no attempt is left of.
  private func giveUp(_ job: AcceptedJob, _ folder: JobFolder, _ reason: String) async throws -> Ending {
    let report = JobReport(job.claim.record, worker: ledger.worker)
    let result = report.lost(after: job.claim.record.attempt - 1, reason)
    var message = ResultMessage(result: result, tail: nil)
    do {
      try ResultsFolder.prepare(in: folder, for: job.claim.record.attempt).write(result)
    } catch let failure as JobFailure {
      logger.error("\(failure)")
      message.manifestFile = nil
    }
    return try await deliver(message, result, of: job)
  }

  /// Writes what happens to a job into the audit log.
  package func note(_ event: AuditEntry.Event, _ claim: Claim, _ result: JobResult? = nil) {
    var entry = claim.entry(event)
    if let result {
      // A result that another worker left is of its attempt.
      if result.workerId != ledger.worker.id.text { entry.from = result.workerId }
      entry.attempt = result.attempt
      (entry.status, entry.exitCode) = (result.status.rawValue, result.exitCode)
      (entry.error, entry.reason) = (result.error, result.reason)
    }
    ledger.audit.note(entry, logger)
  }
}

/// How the life of a worker ended.
package enum WorkerOutcome: Sendable {
  /// It saw a job through.
  case finished(JobResult)
  /// It saw a job through, and the broker does not take the result: it is put aside, and tried again.
  case undelivered(JobResult, Unpublished)
  /// It was asked to stop, or there was nothing to do for too long.
  case noJob
  /// It had a job that another worker holds by now, or that is left to a next attempt.
  case superseded

  /// Whether there was a job.
  package var hadJob: Bool {
    if case .noJob = self { false } else { true }
  }
}
