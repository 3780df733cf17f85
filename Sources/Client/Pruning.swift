package import FileTree
private import Glibc
package import Jobs
import SystemPackage
package import Volume

/// What is to be removed from a volume.
package struct PruningOrder: Sendable {
  /// What of a finished job.
  package enum Extent: Sendable {
    /// Its whole folder.
    case job
    /// What an earlier run left in `results.previous`.
    case previousResults
  }

  /// Only jobs whose result is older than this.
  package var age: Duration = .seconds(7 * 86400)
  /// So many of the newest finished jobs with one of ``statuses`` stay.
  package var kept = 0
  /// Only jobs that ended so.
  package var statuses = Set(JobStatus.allCases)
  package var extent = Extent.job

  /// All that is a week old.
  package init() {}
}

/// Removes finished jobs from a volume, beside running workers and beside other removals.
///
/// A job with a claim, a request on the volume or an undelivered result stays. All ages are by the volume's clock. A
/// process that is killed leaves hidden folders, which the next one removes.
package struct Pruning: Sendable {
  private let directory: JobsDirectory
  private let order: PruningOrder
  private let now: Int64

  /// A removal from `directory`. Reads the volume's clock, by a file that it creates and removes. Throws
  /// ``VolumeError``.
  package init(_ order: PruningOrder, from directory: JobsDirectory) throws(VolumeError) {
    self.order = order
    self.directory = directory
    now = try directory.time()
  }

  /// The jobs to remove, oldest first.
  package func jobs() throws(VolumeError) -> [FinishedJob] {
    let busy = try directory.jobsNotAtRest(at: now)
    let finished = try FinishedJobs(directory: directory, now: now).list(order.statuses)
    return finished.dropFirst(order.kept).reversed().filter { job in
      guard job.age > order.age, !busy.contains(job.id) else { return false }
      return order.extent == .job || previous(job.id) != nil
    }
  }

  /// What would be freed. An entry with several names counts once for each.
  package func size(of job: FinishedJob) -> TreeSize {
    if order.extent == .previousResults { return previous(job.id)?.previousSize ?? TreeSize() }
    guard let folder = try? JobFolder.open(job.id, in: directory) else { return TreeSize() }
    return FileTree.size(of: folder.descriptor)
  }

  /// Removes a job, or its previous results; `nil` if it is no longer what it was, or if a worker or another removal
  /// has it.
  ///
  /// Calls `first` when no worker can take the job any more; if it throws, the job stays. Throws ``VolumeError`` if it
  /// stays, and `FileTreeError` if some of it stays out of sight, for the next removal.
  package func remove(_ job: FinishedJob, first: (JobID) async throws -> Void = { _ in }) async throws -> TreeSize? {
    let size = size(of: job)
    // Half of it would stay.
    guard size.mounts == 0 else { throw VolumeError("removing", directory.folder(of: job.id), .resourceBusy) }
    guard let removal = try JobRemoval.begin(job.id, in: directory, at: now) else { return nil }
    let removeHidden: () throws -> TreeSize?
    do {
      guard FinishedJobs(directory: directory, now: now).job(job.id)?.mark == job.mark, try removal.isHeld else {
        try removal.end()
        return nil
      }
      try await first(job.id)
      removeHidden = try hide(job, size, removal)
    } catch {
      // The error says what happened; a right that stays behind ends with a lease.
      try? removal.end()
      throw error
    }
    try removal.end()
    return try removeHidden()
  }

  /// Moves it out of sight, and returns what removes it without the right to.
  private func hide(
    _ job: FinishedJob, _ size: TreeSize, _ removal: JobRemoval
  ) throws -> () throws -> TreeSize? {
    switch order.extent {
    case .job:
      guard let folder = try removal.hide() else { return { nil } }
      return {
        try folder.remove()
        return size
      }
    case .previousResults:
      guard let earlier = previous(job.id) else { return { nil } }
      do {
        guard try earlier.hidePrevious(while: { try removal.isHeld }) else { return { nil } }
      } catch let cause as Errno {
        throw VolumeError("moving away the earlier results in", directory.folder(of: job.id), cause)
      }
      return {
        earlier.removeHidden(within: .seconds(86400), most: .max)
        guard !earlier.areHidden else {
          throw VolumeError("removing the earlier results in", directory.folder(of: job.id), .notPermitted)
        }
        return size
      }
    }
  }

  /// The earlier results of a job; `nil` if it has none.
  private func previous(_ id: JobID) -> EarlierResults? {
    guard let folder = try? JobFolder.open(id, in: directory) else { return nil }
    let earlier = EarlierResults(folder: folder)
    return earlier.previousSize == nil ? nil : earlier
  }

  // MARK: Leftovers

  /// The folders that a killed removal left.
  package func leftovers() throws(VolumeError) -> [HiddenFolder] { try HiddenFolder.left(in: directory) }

  /// Gives up the rights of killed removals.
  package func clearMarks() throws(VolumeError) { try JobRemoval.clearMarks(in: directory, at: now) }

  /// Gives a job back what a killed removal or replacement has hidden of it; `false` if that was nothing, or if a worker
  /// has the job now.
  package func restore(_ folder: HiddenFolder) throws -> Bool {
    guard !folder.isOfReplacement else { return try folder.finishReplacement(at: now) == .restored }
    try folder.putBack()
    return true
  }

  /// Removes a doomed folder. Returns what it held.
  package func remove(_ folder: HiddenFolder) throws -> TreeSize {
    let size = folder.size
    try folder.remove()
    return size
  }

  // MARK: Workers' records

  /// The old records of workers. A worker's log is of more than a week, however young the jobs are that go.
  package var records: WorkerRecords {
    WorkerRecords(directory: directory, now: now, age: max(order.age, .seconds(7 * 86400)))
  }
}
