import Glibc
import Jobs
import SystemPackage
import Volume

/// Looks on the volume for what becomes of one request: a claim that bears it, and then the result that does.
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
  /// The file that was read last; a result of many artifacts is not read again and again.
  private var seen: FileStamp?

  init(_ request: OutgoingRequest, in directory: JobsDirectory) {
    self.request = request
    records = JobRecords(directory)
  }

  /// What is new. Looks five times a second at most: a volume may be far away.
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

/// Which file has a name, and which content: another number, size or time of writing is another.
///
/// The fields have the types of stat(3type). Numbers of 2^63 and more are usual on some file systems (GlusterFS).
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
