import Glibc
import Jobs
import SystemPackage
import Volume

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
  package mutating func look() throws(VolumeError) -> News? {
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

  private func stamp() -> FileStamp? {
    guard let results = records.openResults(of: request.id) else { return nil }
    defer { try? results.close() }
    var status = stat()
    return fstatat(results.rawValue, "result.json", &status, AT_SYMLINK_NOFOLLOW) == 0 ? FileStamp(status) : nil
  }
}

/// The identity of a file and its content: inode, size and modification time.
///
/// The fields have the types of stat(3type). Inode numbers of 2^63 and more are usual on some file systems (GlusterFS).
struct FileStamp: Equatable, Sendable {
  private let number: ino_t
  private let size: off_t
  private let seconds: time_t
  private let nanoseconds: Int

  init(_ status: stat) {
    number = status.st_ino
    size = status.st_size
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
  }
}
