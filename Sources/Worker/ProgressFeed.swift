package import FileTree
package import Jobs
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
  package let tell: @Sendable (JobProgress) async -> Void

  private static let patience = Duration.seconds(1)

  /// Runs a copy that reports to the closure that it is handed; returns when it has ended and all is passed on.
  package func follow<Result>(
    _ copy: (@escaping @Sendable (CopyProgress) -> Void) async throws -> Result
  ) async rethrows -> Result {
    let (reports, reporter) = AsyncStream.makeStream(of: CopyProgress.self)
    async let passing: Void = pass(on: reports)
    do {
      let result = try await copy { reporter.yield($0) }
      reporter.finish()
      await passing
      return result
    } catch {
      reporter.finish()
      await passing
      throw error
    }
  }

  private func pass(on reports: AsyncStream<CopyProgress>) async {
    var due = Self.patience
    var isShown = false
    for await report in reports where report.elapsed >= Self.patience {
      let progress = JobProgress(id: id, phase: phase, copy: report)
      show?(progress)
      isShown = true
      guard report.elapsed >= due else { continue }
      due = report.elapsed + Self.patience
      await tell(progress)
    }
    if isShown { show?(nil) }
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
