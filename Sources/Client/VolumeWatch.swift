import Jobs
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
  /// Whether the last read succeeded.
  private(set) var isReadable = true
  /// Why logs of the run are incomplete, once its result was read.
  private(set) var logErrors: [String] = []

  init(_ request: OutgoingRequest, in directory: JobsDirectory) {
    self.request = request
    records = JobRecords(directory)
  }

  /// The next news. Reads the volume five times a second at most, since it may be slow.
  mutating func look() throws(VolumeError) -> News? {
    guard !hasResult, nextLook <= .now else { return nil }
    nextLook = .now + .milliseconds(200)
    isReadable = false
    let claim = try records.claims(of: request.id).last { isMine($0.envelope.requestId.text) }
    isReadable = true
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
    logErrors = result.logErrors
    return .result(ResultMessage(result: result, tail: nil))
  }

  private func isMine(_ key: String?) -> Bool { key == request.requestID.text }

  private func stamp() -> FileStamp? { records.resultStamp(of: request.id) }
}
