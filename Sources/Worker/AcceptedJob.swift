import Jobs
import Volume

/// A job whose claim this worker holds, and the work that remains for it.
package struct AcceptedJob: Sendable {
  /// The work that remains for a job.
  enum Work: Sendable {
    /// Run its steps.
    case run(JobPlan)
    /// Answer that this user canceled it before this attempt began.
    case cancel(JobPlan, by: String)
    /// Publish this result: an earlier worker wrote it and died before it released the claim.
    case publish(JobResult)
    /// Answer that the job is lost: its worker died, and no attempt begins again. The text follows "its worker died,
    /// and".
    case giveUp(JobFolder, String)
  }

  let claim: Claim
  var work: Work
  /// The attempts before this one that did not begin. They do not count.
  var unbegun = 0
  /// Earlier cancellations were meant for an earlier run of the job: an idle worker also receives the cancellations for
  /// other workers' jobs.
  let cancelableSince: ContinuousClock.Instant

  /// The number of attempts that have begun, with this one.
  var count: Int { claim.record.attempt - unbegun }

  /// Whether `cancellation` ends this job.
  func isMeant(by cancellation: Cancellation) -> Bool {
    cancellation.id == claim.record.id && cancelableSince <= cancellation.received
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

extension AcceptedJob {
  /// Whether `result` answers a ``CancelMark`` without a key. A worker may have died between the result and the removal of
  /// the mark.
  func endsMark(_ result: JobResult) -> Bool {
    switch work {
    case .cancel: true
    case .run, .publish: result.status == .canceled
    case .giveUp: false
    }
  }
}
