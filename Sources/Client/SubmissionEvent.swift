package import Jobs
package import MQTT
private import Synchronization

/// Something that its sender learns of a job.
package enum SubmissionEvent: Sendable {
  /// Nobody listens on the topic of requests yet; the request is sent again until somebody does.
  case nobodyListens
  /// The broker has the request, and no worker has taken it yet.
  case queued
  /// The broker refuses the request for now; it is sent again.
  case refusedForNow(ReasonCode)
  /// A worker has the job; not the first, if the attempt is more than 1.
  case taken(worker: String, attempt: Int)
  /// Its workers tell something of it.
  case event(JobEvent)
  /// What a step wrote; byte for byte, in order.
  case output(step: Int, bytes: [UInt8])
  /// So many bytes that a step wrote did not come this way.
  case missing(step: Int, bytes: Int64)
  /// It is done; the last news.
  case finished(ResultMessage)
}

/// The job is being worked on for another request, so that this one was not taken.
package struct JobIsBusy: Error, CustomStringConvertible {
  /// The job.
  package let id: JobID

  /// A sentence for the user.
  package var description: String {
    "job \(id) is being worked on for another request: submit it again when that is done, or under another --id"
  }
}

/// What arrived for a submission, from whichever thread.
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
