package import FileTree
package import Jobs
import Synchronization
package import Volume

/// How far a copy of a job's files is.
package struct JobProgress: Hashable, Sendable {
  /// Which copy.
  package enum Phase: String, Sendable {
    /// The job's folder into the workspace.
    case stage
    /// What the job changed into results/.
    case sync
  }

  /// The job.
  package let id: JobID
  /// Which copy.
  package let phase: Phase
  /// How far it is.
  package let copy: CopyProgress

  /// A copy of a job's files.
  package init(id: JobID, phase: Phase, copy: CopyProgress) {
    self.id = id
    self.phase = phase
    self.copy = copy
  }
}

/// Passes on how a copy goes that takes longer than a second: some times a second to whoever looks on, and at most once
/// a second to whoever listens elsewhere.
struct ProgressFeed: Sendable {
  package let id: JobID
  package let phase: JobProgress.Phase
  /// Is called with `nil` when there is nothing more to show.
  package let show: (@Sendable (JobProgress?) -> Void)?
  package let tell: @Sendable (JobProgress) -> Void

  private static let patience = Duration.seconds(1)

  private struct Passed {
    var due = patience
    var isShown = false
  }

  /// Runs a copy that reports to the closure that it is handed, one report at a time.
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
  /// How far a copy is; `durationMs` is the time that it has taken so far.
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
