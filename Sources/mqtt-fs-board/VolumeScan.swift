import Client
import Glibc
import Jobs
import Volume

/// Reads the jobs on the volume again and again, and each result only when it has changed.
///
/// A job runs under a claim, so a finished job is looked at again when it had one; those whose claim came and went between two
/// looks are found by and by, a part of all jobs each time.
struct VolumeScan {
  /// A larger result.json is not read: its job is listed without it.
  static let largestResult = 16 << 20
  /// All finished jobs are looked at once in so many looks.
  private static let round = 40
  /// So many logs are read for their last line.
  private static let mostLogs = 64

  private let directory: JobsDirectory
  private let listing: JobListing
  private let records: JobRecords
  private let rows: JobRows
  private var known: [JobID: (row: JobRow, stamp: FileStamp?)] = [:]
  private var wasUnderway: Set<JobID> = []
  private var outlines: [JobID: (attempt: Int?, steps: [String])] = [:]
  private var turn = 0
  /// The job of each worker that has one.
  private(set) var running: [String: JobRow] = [:]

  init(_ directory: JobsDirectory, _ rows: JobRows) {
    self.directory = directory
    self.rows = rows
    listing = JobListing(directory)
    records = JobRecords(directory)
  }

  /// Looks once. Calls `whenUnderway` as soon as the jobs under way are known: all others may take long. Throws
  /// ``VolumeError`` if the volume cannot be read.
  mutating func look(whenUnderway: ([String: JobRow]) throws(VolumeError) -> Void) throws(VolumeError) {
    turn += 1
    let underway = try listing.underway()
    let undelivered = try listing.undelivered()
    var changed: [JobRow] = []
    var seen: Set<JobID> = []
    outlines = outlines.filter { id, _ in wasUnderway.contains(id) }
    running = [:]
    for (index, job) in underway.enumerated() {
      seen.insert(job.id)
      let row = row(of: job, readsLog: index < VolumeScan.mostLogs)
      if let worker = row.worker, row.state == .running { running[worker] = row }
      if known[job.id]?.row != row { changed.append(row) }
      known[job.id] = (row, nil)
    }
    rows.apply(changed, removed: [])
    changed = []
    try whenUnderway(running)
    for name in try DurableFile.names(in: directory.top) {
      guard let id = try? JobID(name), !seen.contains(id) else { continue }
      guard let row = atRest(id, undelivered[id]) else { continue }
      seen.insert(id)
      if let row = row.changed { changed.append(row) }
      // A page need not wait for the first look at a large volume.
      if changed.count >= 500 {
        rows.apply(changed, removed: [])
        changed = []
      }
    }
    wasUnderway = Set(underway.map(\.id))
    let removed = known.keys.filter { !seen.contains($0) }
    for id in removed { known[id] = nil }
    rows.apply(changed, removed: removed)
  }

  /// A job that is there and at rest; its row, if it has changed.
  private struct AtRest {
    let changed: JobRow?
  }

  /// The row of a job without a claim or a deferred request, if it has changed; `nil` if there is no such job.
  private mutating func atRest(_ id: JobID, _ undelivered: UndeliveredSummary?) -> AtRest? {
    let before = known[id]
    if let before, before.row.state == .finished, before.stamp != nil, !wasUnderway.contains(id),
      (before.row.isUndelivered == true) == (undelivered != nil), !isTurn(of: id)
    {
      return AtRest(changed: nil)
    }
    let stamp = records.resultStamp(of: id)
    if let before, before.row.state == .finished, stamp != nil, stamp == before.stamp,
      (before.row.isUndelivered == true) == (undelivered != nil)
    {
      return AtRest(changed: nil)
    }
    guard let folder = try? JobFolder.open(id, in: directory) else { return nil }
    let since = modified(folder)
    var row: JobRow
    if let stamp, stamp.size > VolumeScan.largestResult {
      row = JobRow(JobSummary(finished: id), since: since)
      row.error = "its result.json has \(stamp.size) bytes, too many to show"
    } else {
      row = JobRow(listing.atRest(id, undelivered), since: since)
      // A job without a result that can be read, although there is a file.
      if row.state == .pending, stamp != nil { row.error = "its result.json cannot be read" }
    }
    // What could not be read is read again: rights may change, and a volume may answer later.
    known[id] = (row, row.status == nil && row.error != nil ? nil : stamp)
    return AtRest(changed: before?.row == row ? nil : row)
  }

  private func isTurn(of id: JobID) -> Bool {
    // Not hashValue, which is another each time.
    let sum = id.text.utf8.reduce(UInt32(0)) { $0 &* 31 &+ UInt32($1) }
    return Int(sum) % VolumeScan.round == turn % VolumeScan.round
  }

  private mutating func row(of job: JobSummary, readsLog: Bool) -> JobRow {
    guard job.state == .running else { return JobRow(job, since: nil) }
    var since: Int64?
    if let folder = try? JobFolder.open(job.id, in: directory) { since = modified(folder) }
    var row = JobRow(job, since: since)
    let steps = outline(of: job)
    row.steps = steps.isEmpty ? nil : steps.count
    if let step = job.step, steps.indices.contains(step) { row.stepName = steps[step].cut(to: 120) }
    if readsLog, let step = job.step { row.logEnd = lastLine(of: job.id, step) }
    return row
  }

  /// The steps of a running job. Reads the definition once for each attempt.
  private mutating func outline(of job: JobSummary) -> [String] {
    if let outline = outlines[job.id], outline.attempt == job.attempt { return outline.steps }
    let steps = JobOutline(of: job.id, in: directory).names
    outlines[job.id] = (job.attempt, steps)
    return steps
  }

  /// When the folder's entries changed: results/ is made when an attempt starts.
  private func modified(_ folder: JobFolder) -> Int64? {
    guard let status = try? status(of: folder.descriptor) else { return nil }
    return Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
  }

  private func lastLine(of id: JobID, _ step: Int) -> String? {
    var tail = LogTail(id, .only(step), size: 400, in: directory)
    guard let piece = try? tail.next() else { return nil }
    let text = String(decoding: piece.bytes, as: UTF8.self)
    return text.split(whereSeparator: \.isNewline).last { !$0.allSatisfy(\.isWhitespace) }.map {
      String($0).cut(to: 200)
    }
  }
}
