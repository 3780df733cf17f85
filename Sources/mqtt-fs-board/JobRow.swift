import Client
import Jobs

/// A job in the page's list: short, because the page gets all of them.
///
/// It is an array in JSON: id, state, status, exit code, attempt, worker, step, number of steps, name of the step, start of
/// the state, end, duration, error, topic filter, end of the log, and whether its result is undelivered. Times are
/// milliseconds since 1970.
struct JobRow: Encodable, Equatable, Sendable {
  var id: JobID
  var state: JobState
  var status: JobStatus?
  var exitCode: Int?
  var attempt: Int?
  var worker: String?
  var step: Int?
  var steps: Int?
  var stepName: String?
  var since: Int64?
  var end: Int64?
  var durationMs: Int?
  var error: String?
  var filter: String?
  var logEnd: String?
  var isUndelivered: Bool?

  /// The row of a job; `since` serves if the volume does not tell when its state began.
  init(_ job: JobSummary, since: Int64?) {
    id = job.id
    state = job.state
    status = job.status
    exitCode = job.exitCode
    attempt = job.attempt
    worker = job.workerId.map { $0.cut(to: 128) }
    step = job.step
    if job.state != .finished { self.since = job.since.flatMap(Timestamp.init)?.millisecondsSince1970 ?? since }
    end = job.end.flatMap(Timestamp.init)?.millisecondsSince1970
    durationMs = job.durationMs
    error = job.error?.cut(to: 200)
    filter = job.filter?.cut(to: 200)
    // One that cannot be read has no end: it is as old as its folder.
    if job.state == .finished, end == nil { end = since }
    isUndelivered = job.undelivered == nil ? nil : true
  }

  func encode(to encoder: any Encoder) throws {
    var row = encoder.unkeyedContainer()
    try row.encode(id)
    try row.encode(state.rawValue)
    try row.encode(status?.rawValue)
    try row.encode(exitCode)
    try row.encode(attempt)
    try row.encode(worker)
    try row.encode(step)
    try row.encode(steps)
    try row.encode(stepName)
    try row.encode(since)
    try row.encode(end)
    try row.encode(durationMs)
    try row.encode(error)
    try row.encode(filter)
    try row.encode(logEnd)
    try row.encode(isUndelivered)
  }
}

extension String {
  /// At most `limit` characters of Unicode, with a mark if some are missing. Foreign text can have any length.
  func cut(to limit: Int) -> String {
    guard utf8.count > limit, let end = unicodeScalars.index(startIndex, offsetBy: limit, limitedBy: endIndex),
      end < endIndex
    else { return self }
    return String(self[..<end]) + "…"
  }
}
