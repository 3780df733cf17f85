/// The payload on `jobs/results/<id>`: a short result, and the path of the full one.
package struct ResultMessage: Payload, Sendable, Equatable {
  /// The path of result.json below the job's folder.
  package static let manifest = "results/result.json"
  /// The most bytes of names and values of outputs: 16 KiB.
  static let mostOutputs = 16 << 10

  /// The job; none if a rejected request has no valid id.
  package var id: JobID?
  /// How it ended.
  package var status: JobStatus
  /// The exit code of the step that decided the job.
  package var exitCode: Int?
  /// ``manifest``; none for a job that never started and so has no result.json.
  package var manifestFile: String?
  /// The error, as a sentence.
  package var error: String?
  /// The idempotency key of the request.
  package var requestId: String?
  /// The worker that publishes it.
  package var workerId: String?
  /// The attempt, from 1.
  package var attempt: Int?
  /// The duration of the job, in milliseconds.
  package var durationMs: Int?
  /// The end of the failed step's log.
  package var tail: String?
  /// The job's outputs, if they are at most ``mostOutputs`` together; result.json has them all.
  package var outputs: [String: String]?
  /// What the steps used.
  package var usage: Usage?
  /// `true` if memory ran out, and otherwise `nil`; see ``JobResult/outOfMemory``.
  package var outOfMemory: Bool?
}

extension ResultMessage {
  /// The message for a stored result.
  package init(result: JobResult, tail: String?) {
    self.init(
      id: result.jobId, status: result.status, exitCode: result.exitCode, manifestFile: ResultMessage.manifest,
      error: result.error, requestId: result.requestId, workerId: result.workerId, attempt: result.attempt,
      durationMs: result.timing.durationMs, tail: tail, usage: result.usage, outOfMemory: result.outOfMemory)
    let length = result.outputs?.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
    if let length, length <= Self.mostOutputs { outputs = result.outputs }
  }

  /// The answer to a refused request; without an id it goes to `jobs/rejected`.
  package static func rejected(
    id: JobID?, requestId: RequestID? = nil, error: String, workerID: String
  ) -> ResultMessage {
    ResultMessage(id: id, status: .rejected, error: error, requestId: requestId?.text, workerId: workerID)
  }

  /// The message and shorter forms of it, for a broker with a small maximum packet size: without outputs, then without
  /// the log's tail and the usage, then with `error` clipped and marked so. The length of the last form depends only on
  /// the requestId.
  package var shorterForms: [ResultMessage] {
    var forms = [self]
    var form = self
    if outputs != nil {
      form.outputs = nil
      forms.append(form)
    }
    if tail != nil || usage != nil {
      (form.tail, form.usage) = (nil, nil)
      forms.append(form)
    }
    guard let error else { return forms }
    for limit in [4096, 1024, 256, 64] where error.utf8.count > limit {
      form.error = error.clipped(to: limit, manifestFile == nil ? " … (clipped)" : " … (clipped; see result.json)")
      forms.append(form)
    }
    return forms
  }

  private enum CodingKeys: String, CodingKey {
    case id, status, exitCode, manifestFile, error, requestId, workerId, attempt, durationMs, tail, outputs,
      usage, outOfMemory
  }

  /// Writes an object, with `exitCode` even if it is `null` when there is a result.json, and with other keys only if
  /// they have a value.
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
    try container.encodeIfPresent(outputs, forKey: .outputs)
    try container.encodeIfPresent(usage, forKey: .usage)
    try container.encodeIfPresent(outOfMemory, forKey: .outOfMemory)
  }
}

extension String {
  /// Its first `limit` bytes at most, in whole characters, followed by `mark`.
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
