internal import FoundationEssentials

/// The payload on `jobs/results/<id>`: a result in a few lines, and where the whole of it lies.
package struct ResultMessage: Codable, Sendable, Equatable {
  /// Where result.json lies, below the job's folder.
  package static let manifest = "results/result.json"

  /// The job; none when a rejected request names no valid one.
  package var id: JobID?
  /// How it ended.
  package var status: JobStatus
  /// The exit code of the step that decided the job.
  package var exitCode: Int?
  /// ``manifest``; none for a job that was never begun and so has no result.json.
  package var manifestFile: String?
  /// What went wrong, as a sentence.
  package var error: String?
  /// The request that it answers, by its idempotency key.
  package var requestId: String?
  /// The worker that speaks.
  package var workerId: String?
  /// Which attempt this is, from 1.
  package var attempt: Int?
  /// Milliseconds that the job took.
  package var durationMs: Int?
  /// The end of the failed step's log.
  package var tail: String?

  /// What a stored result comes to.
  package init(result: JobResult, tail: String?) {
    id = result.jobId
    status = result.status
    exitCode = result.exitCode
    manifestFile = ResultMessage.manifest
    error = result.error
    requestId = result.requestId
    workerId = result.workerId
    attempt = result.attempt
    durationMs = result.timing.durationMs
    self.tail = tail
  }

  private init(rejected id: JobID?, _ request: RequestID?, error: String, workerID: String) {
    self.id = id
    status = .rejected
    self.error = error
    requestId = request?.text
    workerId = workerID
  }

  /// The answer to a request that is refused; it goes to `jobs/rejected` when there is no id.
  package static func rejected(
    id: JobID?, requestId: RequestID? = nil, error: String, workerID: String
  ) -> ResultMessage {
    ResultMessage(rejected: id, requestId, error: error, workerID: workerID)
  }

  /// What a payload says; `nil` when it is no result.
  package init?(payload: [UInt8]) {
    guard let message = try? JSONDecoder().decode(ResultMessage.self, from: Data(payload)) else { return nil }
    self = message
  }

  /// The message itself, and then with ever fewer words, for a broker that takes no larger one: without the log's tail, and
  /// with `error` clipped, which says so. What is left last is no longer than its requestId makes it.
  package var shorterForms: [ResultMessage] {
    var forms = [self]
    var form = self
    if tail != nil {
      form.tail = nil
      forms.append(form)
    }
    guard let error else { return forms }
    for limit in [4096, 1024, 256, 64] where error.utf8.count > limit {
      form.error = error.clipped(to: limit, manifestFile == nil ? " … (clipped)" : " … (clipped; see result.json)")
      forms.append(form)
    }
    return forms
  }

  /// The payload: compact JSON, keys sorted.
  package func encoded() throws -> [UInt8] {
    try compactJSON(self)
  }

  private enum CodingKeys: String, CodingKey {
    case id, status, exitCode, manifestFile, error, requestId, workerId, attempt, durationMs, tail
  }

  /// Writes an object; with a result.json `exitCode` is there even when `null`, other keys only when they say something.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encodeIfPresent(id, forKey: .id)
    try container.encode(status, forKey: .status)
    if manifestFile != nil {
      try container.encode(exitCode, forKey: .exitCode)
    }
    try container.encodeIfPresent(manifestFile, forKey: .manifestFile)
    try container.encodeIfPresent(error, forKey: .error)
    try container.encodeIfPresent(requestId, forKey: .requestId)
    try container.encodeIfPresent(workerId, forKey: .workerId)
    try container.encodeIfPresent(attempt, forKey: .attempt)
    try container.encodeIfPresent(durationMs, forKey: .durationMs)
    try container.encodeIfPresent(tail, forKey: .tail)
  }
}

extension String {
  /// Its beginning, of at most `limit` bytes and whole characters, with `mark` behind it.
  fileprivate func clipped(to limit: Int, _ mark: String) -> String {
    var (beginning, bytes) = (String.UnicodeScalarView(), 0)
    for scalar in unicodeScalars {
      bytes += UTF8.width(scalar)
      guard bytes <= limit else { break }
      beginning.append(scalar)
    }
    return String(beginning) + mark
  }
}
