package import Glibc
package import Jobs
package import MQTT
private import Synchronization
import SystemPackage
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

/// Queues the items that arrive for a submission, from any thread.
final class Inbox: Sendable {
  enum Item: Sendable {
    case place(RequestSender.Place)
    case message(Message)
    case failed(any Error)
  }

  private let items = Mutex<[Item]>([])

  func put(_ item: Item) {
    items.withLock { $0.append(item) }
  }

  func putBack(_ item: Item) {
    items.withLock { $0.insert(item, at: 0) }
  }

  func take() -> Item? {
    items.withLock { $0.isEmpty ? nil : $0.removeFirst() }
  }
}

/// A watch for one request on the volume: for its claim, and then its result.
struct VolumeWatch: Sendable {
  enum News: Sendable, Equatable {
    case claim(worker: String, attempt: Int)
    case result(ResultMessage)
  }

  private let request: OutgoingRequest
  private let records: JobRecords
  private var nextLook = ContinuousClock.now
  private var attempt = 0
  private var hasResult = false
  /// The file that was read last: a large result is not read again and again.
  private var seen: FileStamp?

  init(_ request: OutgoingRequest, in directory: JobsDirectory) {
    self.request = request
    records = JobRecords(directory)
  }

  /// The next news. Reads the volume five times a second at most, since it may be slow.
  mutating func look() throws(VolumeError) -> News? {
    guard !hasResult, nextLook <= .now else { return nil }
    nextLook = .now + .milliseconds(200)
    let claim = try records.claims(of: request.id).last { isMine($0.envelope.requestId.text) }
    if let claim, claim.attempt > attempt {
      attempt = claim.attempt
      nextLook = .now
      return .claim(worker: claim.worker, attempt: claim.attempt)
    }
    guard let stamp = stamp(), stamp != seen else { return nil }
    guard let result = records.result(of: request.id) else { return nil }
    seen = stamp
    guard isMine(result.requestId) else { return nil }
    hasResult = true
    return .result(ResultMessage(result: result, tail: nil))
  }

  private func isMine(_ key: String?) -> Bool { key == request.requestID.text }

  private func stamp() -> FileStamp? { records.resultStamp(of: request.id) }
}

extension JobRecords {
  /// The stamp of the result of `id`, without reading it; `nil` if there is none.
  package func resultStamp(of id: JobID) -> FileStamp? {
    guard let results = openResults(of: id) else { return nil }
    defer { try? results.close() }
    var status = stat()
    return fstatat(results.rawValue, JobsDirectory.result, &status, AT_SYMLINK_NOFOLLOW) == 0 ? FileStamp(status) : nil
  }
}

/// The identity of a file and its content: inode, size and modification time.
///
/// The fields have the types of stat(3type). Inode numbers of 2^63 and more are usual on some file systems (GlusterFS).
package struct FileStamp: Equatable, Sendable {
  private let number: ino_t
  /// Bytes of content.
  package let size: off_t
  private let seconds: time_t
  private let nanoseconds: Int

  init(_ status: stat) {
    number = status.st_ino
    size = status.st_size
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
  }
}
