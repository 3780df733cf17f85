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

  /// The progress `copy` of one copy of the job `id`.
  package init(id: JobID, phase: Phase, copy: CopyProgress) {
    self.id = id
    self.phase = phase
    self.copy = copy
  }
}

/// Passes on the progress of a copy that takes longer than a second: every report to `show`, a few times a second, and
/// at most one report a second to `tell`.
struct ProgressFeed: Sendable {
  package let id: JobID
  package let phase: JobProgress.Phase
  /// Shows the progress on this host. Gets `nil` when there is nothing more to show.
  package let show: (@Sendable (JobProgress?) -> Void)?
  package let tell: @Sendable (JobProgress) -> Void

  private static let patience = Duration.seconds(1)

  private struct Passed {
    var due = patience
    var isShown = false
  }

  /// Runs `copy`, which must call the given closure with one report at a time.
  package func follow<Result>(
    _ copy: (@escaping @Sendable (CopyProgress) -> Void) throws -> Result
  ) rethrows -> Result {
    let passed = Mutex(Passed())
    defer { if passed.withLock({ $0.isShown }) { show?(nil) } }
    return try copy { report in
      guard report.elapsed >= Self.patience else { return }
      let progress = JobProgress(id: id, phase: phase, copy: report)
      show?(progress)
      let isDue = passed.withLock { passed in
        passed.isShown = true
        guard report.elapsed >= passed.due else { return false }
        passed.due = report.elapsed + Self.patience
        return true
      }
      if isDue { tell(progress) }
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
  }
}
