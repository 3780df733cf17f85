import Glibc
import SystemPackage

/// Finds the processes of one step wherever they are, by their marks.
struct StepProcesses: Sendable {
  /// The step's first process, the leader of its session. Until it is reaped, its pid cannot be reused.
  let leader: pid_t
  /// The start time of the leader: no process of the step is older.
  let start: UInt64
  /// The inode number of the log's pipe.
  let pipe: UInt64
  /// The environment entry that only processes of this job have.
  let marker: String?

  /// The living processes of the step, leader first: a shell that is asked to end after its children could report their
  /// end, or continue with the script.
  func alive() -> [ProcessEntry] {
    let table = ProcessEntry.all()
    let isOfStep = ProcessTree.adoptsOrphans ? isAdopted : isMarked
    let roots = table.filter { $0.pid == leader || $0.session == leader || isOfStep($0) }
    let found = living(ProcessTree.descendants(of: Set(roots.map(\.pid)), in: table))
    return found.filter { $0.pid == leader } + found.filter { $0.pid != leader }
  }

  /// The processes that the step has left behind, when its leader has ended and is not reaped yet. Reaps those that
  /// have ended.
  ///
  /// If nothing is left, this lists only this process's own children, not every process of the machine.
  func leftovers() -> [ProcessEntry] {
    if ProcessTree.adoptsOrphans, orphans(atMost: 1)?.isEmpty == true { return [] }
    return alive().filter { $0.pid != leader }
  }

  /// The step's living orphans among this process's children; nil where the kernel does not list children. Reaps those
  /// that have ended.
  func orphans(atMost limit: Int = .max) -> [ProcessEntry]? {
    while let children = ProcessEntry.children() {
      var (found, hasReaped) = ([ProcessEntry](), false)
      for child in children where child != leader {
        guard let entry = ProcessEntry(child), isOrphan(entry) else { continue }
        if entry.isAlive { found.append(entry) } else { hasReaped = ProcessTree.reap(child) || hasReaped }
        if found.count == limit { return found }
      }
      // Children of a just reaped process may have been adopted after the list was read: read it again.
      if !hasReaped { return found }
    }
    return nil
  }

  private func isOrphan(_ child: ProcessEntry) -> Bool {
    child.start >= start && child.session != getsid(0) && !ProcessTree.isSpared(child.pid)
  }

  private func isAdopted(_ entry: ProcessEntry) -> Bool { entry.parent == getpid() && isOrphan(entry) }

  private func isMarked(_ entry: ProcessEntry) -> Bool {
    guard entry.start >= start, entry.isAlive, entry.pid != getpid(), !ProcessTree.isSpared(entry.pid) else {
      return false
    }
    return entry.writes(toPipe: pipe) || marker.map(entry.carries) ?? false
  }

  private func living(_ entries: [ProcessEntry]) -> [ProcessEntry] {
    let own = getpid()
    return entries.filter { entry in
      if !entry.isAlive, entry.parent == own, entry.pid != leader, ProcessTree.adoptsOrphans {
        ProcessTree.reap(entry.pid)
      }
      return entry.isAlive && entry.pid != own && (entry.pid == leader || !ProcessTree.isSpared(entry.pid))
    }
  }
}
