package import Jobs
package import Logging
package import Steps
package import Volume

/// A worker that takes one job, sees it through, and is done.
///
/// What keeps a job from being lost is the order of things here. Each step makes durable what the next one relies on, so
/// a kill between any two leaves a state from which the next worker goes on:
///
///     claim, PUBACK, stage, run, artifacts, result.json, publish, remove claim, purge
package struct Worker: Sendable {
  package let ledger: Ledger
  package let workspaces: WorkspacesDirectory
  package let source: any JobSource
  package let settings: WorkerSettings
  package let stop: StopRequest
  package let logger: Logger
  let redelivery = Redelivery()

  /// A worker that takes jobs from `source` and holds them in `ledger`. `stop` ends it early.
  package init(
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
  package func run() async throws -> WorkerOutcome {
    let outcome: Result<WorkerOutcome, any Error>
    do { outcome = .success(try await live()) } catch { outcome = .failure(error) }
    await redelivery.end()
    return try outcome.get()
  }

  private func live() async throws -> WorkerOutcome {
    defer { settings.guardian?.forgetJob() }
    guard let job = try await accept() else { return .noJob }
    source.worker(isAt: job.place())
    defer { job.claim.leave() }
    // Nobody takes over a dry run: it may stand still for as long as whoever stops it likes.
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
    let cancellation = Task { [source, stop, ledger, logger] in
      var level = StopLevel.terminate
      for await cancellation in source.cancellations where job.isMeant(by: cancellation) {
        var entry = job.claim.entry(.canceled)
        entry.by = cancellation.by
        ledger.audit.note(entry, logger)
        stop.raise(level, reason: .canceled)
        // Who asks again does not want to wait, nor for the steps that clean up.
        level = .kill
      }
    }
    defer { cancellation.cancel() }
    await source.workerIsBusy()
    let metadata: Logger.Metadata = [
      "job": "\(job.claim.record.id)", "attempt": "\(job.claim.record.attempt)",
    ]
    logger.info("took a job", metadata: metadata)
    do {
      let outcome = try await perform(job)
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
      if try await putDownAgain(job.claim) {
        logger.warning(
          "the claim is gone, and nobody has taken the job over: its request waits for a worker again",
          metadata: metadata)
      } else {
        logger.notice("another worker has taken the job over; leaving it", metadata: metadata)
      }
      return .superseded
    }
  }

  /// What became of a job, and why its result is not delivered if it is not.
  private typealias Ending = (result: JobResult, refusal: Unpublished?)

  private func perform(_ job: AcceptedJob) async throws -> Ending {
    // It may have taken longer than a lease until the claim was on disk: nothing of a successor's is moved aside.
    try await fence(job.claim)
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
      try await fence(job.claim)
      if run.isLeftToNextAttempt { throw Lapsed() }
      let result = try run.writeResult()
      let ending = try await deliver(run.message(result), result, of: job)
      await run.purge()
      try? ledger.seen.clear(beside: run.request)
      return ending
    } catch {
      await run.purge()
      // Results that cannot be written may have been moved aside by who holds the job by now.
      if error is VolumeError { try await fence(job.claim) }
      throw error
    }
  }

  /// Publishes, or puts the result aside when the broker does not take it, and only then lets go of the job.
  private func deliver(_ message: ResultMessage, _ result: JobResult, of job: AcceptedJob) async throws -> Ending {
    try await fence(job.claim)
    note(.completed, job.claim, result)
    try await withdrawUndelivered(job.claim.record.id)
    let (envelope, event) = (job.claim.record.envelope, job.ending(result, ledger.worker))
    var refusal: Unpublished?
    do {
      try await publish(message, answering: envelope)
      note(.published, job.claim, result)
      TestStopPoint.published.reached()
      await source.publish(event)
    } catch let undeliverable as Undeliverable {
      // To hear of it may have taken longer than a lease: who has the job now may have published a newer result.
      try await fence(job.claim)
      try putAside(message, of: job.claim.record.id, answering: envelope, ending: event, undeliverable)
      TestStopPoint.putAside.reached()
      refusal = Unpublished(cause: undeliverable.cause)
    }
    try await release(job.claim)
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

  /// Waits for the result to arrive as long as it takes, but only for the grace once the worker is asked to stop.
  package func publish(_ message: ResultMessage, answering envelope: Envelope) async throws {
    let patience = Task { [stop, source, grace = settings.grace] in
      await stop.raised()
      try Task.checkCancellation()
      // That a job is canceled does not make its result less worth waiting for.
      while !stop.isShutdown, stop.level < .kill { try await Task.sleep(for: .milliseconds(200)) }
      try await Task.sleep(for: grace)
      await source.close()
    }
    defer { patience.cancel() }
    do {
      try await source.publish(message, answering: envelope)
    } catch let refusal as Undeliverable {
      throw refusal
    } catch {
      if stop.reason == .superseded { throw Superseded() }
      throw Unpublished(cause: error)
    }
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

/// A job's result stands on the volume and could not be published; whichever worker can does it later.
package struct Unpublished: Error, CustomStringConvertible {
  /// What the source said.
  package let cause: any Error

  /// A sentence for the user.
  package var description: String {
    "the result is kept on the volume but could not be published: \(cause); a worker tries again"
  }
}
