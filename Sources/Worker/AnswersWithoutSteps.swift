import Jobs
import Logging
import Steps
import SystemPackage
import Volume

// Jobs that this worker answers without running a step: those that it may not begin again, and canceled ones.
extension Worker {
  /// Publishes the result of a job that is lost, because it may not begin again.
  func giveUp(_ job: AcceptedJob, _ folder: JobFolder, _ reason: String) async throws -> Ending {
    let report = JobReport(job.claim.record, worker: ledger.worker)
    return try await answer(job, folder, report.lost(after: job.count - 1, reason))
  }

  /// Publishes the result of a job that was canceled before this worker had it.
  func cancel(_ job: AcceptedJob, _ plan: JobPlan, by canceler: String) async throws -> Ending {
    var entry = job.claim.entry(.canceled)
    entry.by = canceler
    ledger.audit.note(entry, logger)
    logger.notice("canceled by \(canceler) before this attempt", metadata: ["job": "\(job.claim.record.id)"])
    var report = JobReport(
      job.claim.record, worker: ledger.worker, redacting: settings.redaction(of: plan.definition))
    report.stoppedBy = .canceled
    report.steps = plan.definition.steps.enumerated().map { StepResult(skipped: $1, $0) }
    var result = report.finish()
    result.error =
      job.claim.record.attempt == 1
      ? "the job was canceled before a worker took it" : "the job was canceled, and its worker died before it ended it"
    return try await answer(job, plan.folder, result)
  }

  /// Ends the processes that an earlier attempt left running on this host: no two attempts of a job run at once.
  func endRemains(of job: AcceptedJob, _ folder: JobFolder) {
    guard job.claim.record.attempt > 1 else { return }
    let results = folder.path.appending(JobsDirectory.results)
    let left = ProcessTree.killAll(carrying: "JOB_RESULTS_DIR=\(results)")
    logger.warn(ofSurvivors: left, of: "an earlier attempt", job.claim.record.id)
  }

  private func answer(_ job: AcceptedJob, _ folder: JobFolder, _ result: JobResult) async throws -> Ending {
    endRemains(of: job, folder)
    // That may have taken longer than a lease.
    if job.claim.record.attempt > 1 { try await fence.check(job.claim) }
    var message = ResultMessage(result: result, tail: nil)
    do {
      try results(of: job, folder).write(result)
    } catch let failure as JobFailure {
      logger.error("\(failure)")
      message.manifestFile = nil
    } catch let error as VolumeError where job.claim.record.attempt > 1 {
      // The next worker takes over from the attempt before, and gets the same number.
      _ = try? job.claim.place.remove()
      throw error
    }
    return try await deliver(message, result, of: job)
  }
}
