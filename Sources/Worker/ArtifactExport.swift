import FileTree
import Jobs
import Volume

/// Finds what a job's steps changed, and copies it to results/.
struct ArtifactExport {
  let plan: JobPlan
  let workspace: Workspace
  /// The workspace before the first step.
  let snapshot: Snapshot
  let results: ResultsFolder
  let limit: SyncLimit
  let patience: VolumePatience
  /// The bytes that the steps' outputs take in the result.
  let outputsSize: Int

  /// Begins again while the volume is away, for a lease at most, and until the limit is reached. If it never succeeds, returns
  /// what the last try that copied anything did, and throws without one. `feed` makes the progress of a try.
  func run(
    feed: (@escaping @Sendable () -> CopyTotal?) -> ProgressFeed
  ) async throws -> (Changes, Export) {
    let isWorthIt = { (error: any Error) in VolumePatience.isOfAbsence(error) && !limit.isReached }
    var last: (Changes, Export)?
    do {
      return try await patience.asking(while: isWorthIt) {
        let (changes, export) = try once(feed)
        last = (changes, export)
        if let failure = export.failures.first(where: isWorthIt) { throw failure }
        return (changes, export)
      }
    } catch {
      guard let last else { throw error }
      return last
    }
  }

  private func once(
    _ feed: (@escaping @Sendable () -> CopyTotal?) -> ProgressFeed
  ) throws -> (Changes, Export) {
    let (definition, limit) = (plan.definition, limit)
    let changes = try workspace.changes(
      since: snapshot, plan.folder, selecting: definition.artifactSelection, isCanceled: { limit.isReached }
    ).without(emptyFolders: definition.cacheParents)
    results.reserve(JobResult.likelySize(definition.steps, changes) + outputsSize)
    let export = try feed { CopyTotal(files: changes.changed.count) }.follow {
      try results.export(changes, from: workspace.descriptor, progress: $0, isCanceled: { limit.isReached })
    }
    return (changes, export)
  }
}
