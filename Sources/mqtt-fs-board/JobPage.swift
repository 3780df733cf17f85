import Client
import Jobs
import Volume

/// All about one job, as the page shows it; long lists are cut.
struct JobPage: Encodable, Sendable {
  private static let mostArtifacts = 2000
  private static let mostOthers = 200
  private static let longestText = 4096

  /// The job as in the list.
  let row: JobRow
  /// The result, if there is one that can be read.
  let result: JobResult?
  /// The names of the steps of a job without a result.
  let outline: [String]
  /// The steps with a log.
  let logs: [Int]
  /// How long the lists are that were cut.
  let counts: [String: Int]
  /// Why there is a result.json and no result.
  let problem: String?
  /// Whether the page may ask to cancel the job.
  let mayCancel: Bool
  /// The state of result.json when it was read.
  private let stamp: FileStamp?

  private enum CodingKeys: String, CodingKey {
    case row, result, outline, logs, counts, problem, mayCancel
  }
}

extension JobPage {
  /// Reads the page of the job in `row`. Blocks on the volume. Reads only what is not as in the page `before`: a
  /// result.json may have megabytes.
  init(_ row: JobRow, in directory: JobsDirectory, mayCancel: Bool, after before: JobPage? = nil) {
    self.row = row
    self.mayCancel = mayCancel && row.state == .running
    let records = JobRecords(directory)
    logs = Array(records.logSteps(of: row.id).prefix(10_000))
    let mayHaveResult = row.state == .finished || row.state == .pending
    stamp = mayHaveResult ? records.resultStamp(of: row.id) : nil
    // A job gets another outline with another request; a result that could not be read is tried again.
    if let before, before.row == row, before.stamp == stamp, before.result != nil || !before.outline.isEmpty {
      (result, problem, counts, outline) = (before.result, before.problem, before.counts, before.outline)
      return
    }
    let whole: JobResult?
    (whole, problem) = JobPage.result(of: row.id, stamp, records)
    counts =
      whole.map {
        [
          "artifacts": $0.artifacts.count, "deleted": $0.deleted.count, "skipped": $0.skipped.count,
          "steps": $0.steps.count,
        ]
      } ?? [:]
    result = whole.map(JobPage.cut)
    outline = whole == nil && problem == nil ? JobOutline(of: row.id, in: directory).names : []
  }

  /// The result, or why a result.json is none.
  private static func result(of id: JobID, _ stamp: FileStamp?, _ records: JobRecords) -> (JobResult?, String?) {
    guard let stamp else { return (nil, nil) }
    guard stamp.size <= VolumeScan.largestResult else {
      return (nil, "results/result.json of \(id) has \(stamp.size) bytes, too many to show: open it as a file")
    }
    guard let result = records.result(of: id) else {
      return (nil, "results/result.json of \(id) is not a result that can be read: open it as a file")
    }
    return (result, nil)
  }

  /// Whether both show the same.
  func isSame(as other: JobPage) -> Bool {
    (row, logs, outline) == (other.row, other.logs, other.outline) && stamp == other.stamp && problem == other.problem
  }

  private static func cut(_ whole: JobResult) -> JobResult {
    var result = whole
    result.artifacts = Array(result.artifacts.prefix(mostArtifacts))
    result.deleted = Array(result.deleted.prefix(mostOthers))
    result.skipped = Array(result.skipped.prefix(mostOthers))
    result.steps = Array(result.steps.prefix(1000))
    for index in result.steps.indices {
      result.steps[index].command = result.steps[index].command.cut(to: longestText)
      result.steps[index].name = result.steps[index].name?.cut(to: 200)
    }
    result.error = result.error?.cut(to: longestText)
    if let outputs = result.outputs {
      let kept = outputs.sorted { $0.key < $1.key }.prefix(mostOthers).map {
        ($0.cut(to: 200), $1.cut(to: longestText))
      }
      result.outputs = Dictionary(kept) { first, _ in first }
    }
    return result
  }
}
