package import Jobs
package import MQTT
package import Volume

/// An event of a submission, for the sender of a job.
package enum SubmissionEvent: Sendable {
  /// The request topic has no subscriber yet; the request is sent again until it has one.
  case noSubscriber
  /// The broker has the request, and no worker has taken it yet.
  case queued
  /// The broker refuses the request for now; it is sent again.
  case refusedForNow(ReasonCode)
  /// A worker has the job; with an attempt above 1 it has taken the job over.
  case taken(worker: String, attempt: Int)
  /// A worker has published an event of the job.
  case event(JobEvent)
  /// Output of a step, byte for byte and in order.
  case output(step: Int, bytes: [UInt8])
  /// The broker lost so many bytes of a step's output.
  case missing(step: Int, bytes: Int64)
  /// The volume cannot be read for now; the broker may still tell of the job.
  case volumeFailed(VolumeError)
  /// The result; the last event.
  case finished(ResultMessage)
}

/// A worker runs the job for another request, so it did not take this one.
package struct JobIsBusy: Error, CustomStringConvertible {
  let id: JobID

  /// A sentence for the user.
  package var description: String {
    "a worker runs job \(id) for another request: submit it again when that has ended, or under another --id"
  }
}
