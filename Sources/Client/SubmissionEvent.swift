package import Jobs
package import MQTT
private import Synchronization

/// An event for the sender of a job.
package enum SubmissionEvent: Sendable {
  /// The request topic has no subscriber yet; the request is sent again until it has one.
  case nobodyListens
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
  /// The number of bytes of a step's output that were lost on the way.
  case missing(step: Int, bytes: Int64)
  /// The result; the last event.
  case finished(ResultMessage)
}

/// A worker runs the job for another request, so it did not take this one.
package struct JobIsBusy: Error, CustomStringConvertible {
  /// The job.
  package let id: JobID

  /// A sentence for the user.
  package var description: String {
    "job \(id) is being worked on for another request: submit it again when that is done, or under another --id"
  }
}

/// The items that arrive for a submission, from any thread.
final class Inbox: Sendable {
  enum Item: Sendable {
    case place(RequestSender.Place)
    case message(Message)
    case failed(any Error)
  }

  private let items = Mutex<[Item]>([])

  package func put(_ item: Item) {
    items.withLock { $0.append(item) }
  }

  package func putBack(_ item: Item) {
    items.withLock { $0.insert(item, at: 0) }
  }

  package func take() -> Item? {
    items.withLock { $0.isEmpty ? nil : $0.removeFirst() }
  }
}
