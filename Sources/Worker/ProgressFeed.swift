package import FileTree
package import Jobs
import Synchronization
package import Volume

/// The progress of a copy of a job's files.
package struct JobProgress: Hashable, Sendable {
  /// Which copy.
  package enum Phase: String, Sendable {
    /// From the job's folder to the workspace.
    case stage
    /// The job's changes to results/.
    case sync
  }

  /// The job.
  package let id: JobID
  /// Which copy.
  package let phase: Phase
  /// The progress.
  package let copy: CopyProgress
  /// All of it; `nil` while it is not counted.
  package let total: CopyTotal?

  /// The progress `copy` of one copy of the job `id`.
  package init(id: JobID, phase: Phase, copy: CopyProgress, total: CopyTotal? = nil) {
    self.id = id
    self.phase = phase
    self.copy = copy
    self.total = total
  }
}

/// What a copy has to do in all.
package struct CopyTotal: Hashable, Sendable {
  package let files: Int
  /// `nil` if only the files are counted.
  package let bytes: Int64?

  package init(files: Int, bytes: Int64? = nil) {
    self.files = files
    self.bytes = bytes
  }
}

/// Passes on the progress of a copy that takes longer than a second: every report to `show`, a few times a second, and
/// at most one report a second to `tell`.
struct ProgressFeed: Sendable {
  let id: JobID
  let phase: JobProgress.Phase
  /// Shows the progress on this host. Gets `nil` when there is nothing more to show.
  let show: (@Sendable (JobProgress?) -> Void)?
  let tell: @Sendable (JobProgress) -> Void
  /// Counts all that is copied; `nil` if that is not known. Only a copy that takes long is counted, beside it.
  var count: (@Sendable () -> CopyTotal?)?

  private static let patience = Duration.seconds(1)

  private struct Passed {
    var due = patience
    var isShown = false
    var isCounting = false
    var total: CopyTotal?
  }

  /// Runs `copy`, which must call the given closure with one report at a time.
  func follow<Result>(
    _ copy: (@escaping @Sendable (CopyProgress) -> Void) throws -> Result
  ) rethrows -> Result {
    let passed = Tally()
    defer { if passed.state.withLock({ $0.isShown }) { show?(nil) } }
    return try copy { report in
      guard report.elapsed >= Self.patience else { return }
      countOnce(passed)
      let progress = JobProgress(id: id, phase: phase, copy: report, total: passed.state.withLock { $0.total })
      show?(progress)
      let isDue = passed.state.withLock { passed in
        passed.isShown = true
        guard report.elapsed >= passed.due else { return false }
        passed.due = report.elapsed + Self.patience
        return true
      }
      if isDue { tell(progress) }
    }
  }

  /// What the copy and the count share; the count may end later.
  private final class Tally: Sendable {
    let state = Mutex(Passed())
  }

  private func countOnce(_ tally: Tally) {
    let begins = tally.state.withLock { state in
      defer { state.isCounting = true }
      return !state.isCounting
    }
    guard begins, let count else { return }
    Task {
      let total = try? await onThread { count() }
      tally.state.withLock { $0.total = total }
    }
  }
}

extension JobEvent {
  /// The progress of a copy. `durationMs` is the time that it has taken so far.
  package init(progress: JobProgress, of claim: ClaimRecord) {
    self.init(
      event: .progress, id: progress.id, requestId: claim.envelope.requestId, workerId: claim.worker,
      attempt: claim.attempt,
      durationMs: progress.copy.elapsed.milliseconds)
    phase = progress.phase.rawValue
    files = progress.copy.files
    bytes = progress.copy.bytes
    (totalFiles, totalBytes) = (progress.total?.files, progress.total?.bytes)
  }
}
