import Client
import Jobs
import Volume

/// A worker in the page's list. Times are milliseconds since 1970; unknown values are left out of the JSON.
struct WorkerRow: Encodable, Equatable, Sendable {
  var id: String
  /// `idle`, `busy`, `halted`, `offline`, or `silent`: it should have been heard of and was not.
  var state: String
  var job: String?
  var step: Int?
  var since: Int64?
  /// When it was heard of last.
  var seen: Int64?
  var host: String?
  var version: String?
  var topics: [String]
  var note: String?
  var load: Double?
  var memory: Int64?
  var jobsFree: Int64?
  var workspacesFree: Int64?

  /// A worker by its file on the volume. It touches the file every third of its lease, which is 30 seconds by default.
  init(_ entry: MemberListing.Entry, running: JobRow?, at now: Int64) {
    id = entry.member.worker
    host = entry.member.process.host.cut(to: 255)
    topics = [entry.member.filter.cut(to: 200)]
    seen = entry.touched
    (job, step, since) = (running?.id.text, running?.step, running?.since)
    if running != nil {
      state = "busy"
    } else if entry.member.state == .away {
      (state, note) = ("offline", "away")
    } else {
      state = now - entry.touched > 300_000 ? "silent" : "idle"
    }
  }

  /// A worker by its status at the broker.
  init(_ entry: Roster.Entry, isAsked: Bool, at now: Int64) {
    let status = entry.status
    id = status.workerId
    state = status.state.rawValue
    (job, step) = (status.job?.cut(to: 128), status.step)
    host = status.host?.cut(to: 255)
    version = status.version?.cut(to: 40)
    topics = (status.topics ?? [status.topic].compactMap(\.self)).prefix(20).map { $0.cut(to: 200) }
    since = entry.began.map { now - Int64((ContinuousClock.now - $0) / .milliseconds(1)) }.map { $0 / 1000 * 1000 }
    note = status.reason?.cut(to: 200)
    (load, memory) = (status.load, status.memory)
    (jobsFree, workspacesFree) = (status.jobsFree, status.workspacesFree)
    if status.state != .offline, !entry.isAlive(at: .now) {
      (state, note) = ("silent", "no heartbeat")
    } else if status.state != .offline, isAsked, !entry.hasAnswered {
      note = "no answer"
    }
  }
}
