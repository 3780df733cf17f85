import Jobs
import Volume

/// A job whose claim this worker holds, and the work that remains for it.
package struct AcceptedJob: Sendable {
  /// The work that remains for a job.
  enum Work: Sendable {
    /// Run its steps.
    case run(JobPlan)
    /// Publish this result: an earlier worker wrote it and died before it released the claim.
    case publish(JobResult)
    /// Answer that the job is lost: its worker died, and no attempt begins again. The text follows "its worker died,
    /// and".
    case giveUp(JobFolder, String)
  }

  let claim: Claim
  var work: Work
  /// When this worker took up the request. `nil` for a job that was taken over: the job may have been canceled between
  /// the two workers' lives.
  let offered: ContinuousClock.Instant?

  /// Whether `cancellation` ends this job. A cancellation received before the request was taken up does not: an idle
  /// worker also receives the cancellations for other workers' jobs.
  func isMeant(by cancellation: Cancellation) -> Bool {
    cancellation.id == claim.record.id && offered.map { $0 <= cancellation.received } ?? true
  }

  /// The place of this attempt, or of one of its steps.
  func place(step: Int? = nil) -> JobPlace {
    JobPlace(claim.record.id, attempt: claim.record.attempt, step: step)
  }

  func event(_ name: JobEvent.Kind, _ worker: WorkerIdentity) -> JobEvent {
    JobEvent(
      event: name, id: claim.record.id, requestId: claim.record.envelope.requestId, workerId: worker.id.text,
      attempt: claim.record.attempt)
  }

  /// The event to publish after the result.
  func ending(_ result: JobResult, _ worker: WorkerIdentity) -> JobEvent {
    var event = event(result.status == .rejected ? .rejected : .completed, worker)
    (event.status, event.exitCode) = (result.status.rawValue, result.exitCode)
    if result.status == .rejected { event.error = result.error }
    return event
  }
}
