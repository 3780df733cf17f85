import Jobs
import Volume

/// A job that this worker holds, and the work that it has with it.
package struct AcceptedJob: Sendable {
  /// What there is to do for a job.
  enum Work: Sendable {
    /// Run its steps.
    case run(JobPlan)
    /// Publish this result: its worker died after it had written that.
    case publish(JobResult)
    /// Answer that it is lost: its worker died, and it is not begun again. The words follow "its worker died, and".
    case giveUp(JobFolder, String)
  }

  let claim: Claim
  var work: Work
  /// When its request was taken up; `nil` for a job that was taken over, which may have been canceled between two lives.
  let offered: ContinuousClock.Instant?

  /// A cancellation ends the job that runs, not one that was requested after it: an idle worker hears those that are meant for
  /// others, too.
  func isMeant(by cancellation: Cancellation) -> Bool {
    cancellation.id == claim.record.id && offered.map { $0 <= cancellation.received } ?? true
  }

  /// The place of a step of this attempt.
  func place(step: Int? = nil) -> JobPlace {
    JobPlace(claim.record.id, attempt: claim.record.attempt, step: step)
  }

  func event(_ name: JobEvent.Kind, _ worker: WorkerIdentity) -> JobEvent {
    JobEvent(
      event: name, id: claim.record.id, requestId: claim.record.envelope.requestId, workerId: worker.id.text,
      attempt: claim.record.attempt)
  }

  /// The event that goes out after the result.
  func ending(_ result: JobResult, _ worker: WorkerIdentity) -> JobEvent {
    var event = event(result.status == .rejected ? .rejected : .completed, worker)
    (event.status, event.exitCode) = (result.status.rawValue, result.exitCode)
    if result.status == .rejected { event.error = result.error }
    return event
  }
}
