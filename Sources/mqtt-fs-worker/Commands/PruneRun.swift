import Client
import FileTree
import Jobs
import MQTT
import Synchronization
import Volume

/// One run of `prune`: removes, or shows, one thing after the other, with a line for each and the sum at the end.
///
/// What cannot be removed is told on stderr, and delays nothing else.
final class PruneRun: Sendable {
  /// Whether anything is changed.
  enum Mode {
    case done, shown
  }

  private struct Sum {
    var jobs = 0
    var others = 0
    var size = TreeSize()
    var failures = 0
  }

  let pruning: Pruning
  private let mode: Mode
  private let console: Console
  private let sum = Mutex(Sum())

  init(_ pruning: Pruning, _ mode: Mode, _ console: Console) {
    (self.pruning, self.mode, self.console) = (pruning, mode, console)
  }

  /// Gives folders back that a killed run hid and that may be workers'.
  func putBack() {
    tellingFailure("what a killed prune left") {
      try pruning.clearMarks()
      for folder in try pruning.leftovers() where folder.fate != .doomed {
        tellingFailure("job \(folder.id)") {
          guard try pruning.restore(folder) else { return }
          let other = folder.isOfReplacement ? "'submit --replace'" : "'prune'"
          console.say("job \(folder.id) has its folder and its results again, which another \(other) had hidden")
        }
      }
    }
  }

  /// Removes jobs. `first` is called when no worker can take the job any more; an error of the broker ends the run.
  func remove(_ jobs: [FinishedJob], first: (JobID) async throws -> Void) async throws {
    for job in jobs {
      do {
        let size = mode == .shown ? pruning.size(of: job) : try await pruning.remove(job, first: first)
        guard let size else { continue }
        try tell(job.id.text, job.status.rawValue, job.age, size)
        sum.withLock { $0.jobs += 1 }
      } catch let error as VolumeError {
        fail("job \(job.id)", error)
      } catch let error as FileTreeError {
        fail("job \(job.id)", error)
      }
    }
  }

  /// Removes all else, and prints the sum. Throws ``ExitStatus/volume`` if something could not be removed.
  func end() throws {
    try removeLeftovers()
    try removeRecords()
    let sum = sum.withLock { $0 }
    let others = sum.others == 0 ? "" : " and \(counted(sum.others, "other file"))"
    try Output.write(
      "\(mode == .shown ? "would remove" : "removed") \(counted(sum.jobs, "job"))\(others): \(counted(sum.size.files, "file")), \(bytesText(sum.size.bytes))\n"
    )
    guard sum.failures == 0 else { throw ExitStatus.volume }
  }

  private func removeLeftovers() throws {
    for folder in try pruning.leftovers() where folder.fate == .doomed {
      do {
        try tell(folder.id.text, "leftover", nil, mode == .shown ? folder.size : pruning.remove(folder))
      } catch let error as VolumeError {
        fail("\(folder.path)", error)
      } catch let error as FileTreeError {
        fail("\(folder.path)", error)
      }
    }
  }

  private func removeRecords() throws {
    for record in try pruning.records.due() {
      do {
        guard try mode == .shown || pruning.records.apply(record) else { continue }
        let name = "\(record.path.folder.name)/\(record.path.name)"
        switch record.change {
        case .rename: try tell(name, "rotated", record.age, TreeSize())
        case .remove:
          try tell(name, "removed", record.age, TreeSize(files: 1, bytes: record.bytes))
          sum.withLock { $0.others += 1 }
        }
      } catch let error as VolumeError {
        fail("\(record.path)", error)
      }
    }
  }

  /// `job_1  success  9d  1.2 MiB`
  private func tell(_ name: String, _ what: String, _ age: Duration?, _ size: TreeSize) throws {
    sum.withLock { $0.size += size }
    try Output.write("\(name)  \(what)  \(age?.shortText ?? "-")  \(bytesText(size.bytes))\n")
  }

  private func tellingFailure(_ what: String, _ body: () throws -> Void) {
    do { try body() } catch { fail(what, error) }
  }

  private func fail(_ what: String, _ error: any Error) {
    sum.withLock { $0.failures += 1 }
    console.say("\(what) cannot be removed: \(error); the next prune tries again")
  }
}
