import Glibc

/// By what the processes of one step are known, wherever they went.
struct StepProcesses: Sendable {
  /// Its first process, the leader of its session. Until that is reaped its number cannot be another's.
  let leader: pid_t
  /// Nothing of the step is older than its first process.
  package let start: UInt64
  /// Inode number of the pipe that its log is fed from.
  let pipe: UInt64
  /// The entry of its environment that only processes of this job have.
  let marker: String?

  /// What of the step is alive, its leader included and first: a shell that is asked to end before its children has
  /// no time to say what became of them, or to go on.
  func processes() -> [ProcessEntry] {
    let found = ProcessTree.adoptsOrphans ? descendants() : recognized()
    return found.filter { $0.pid == leader } + found.filter { $0.pid != leader }
  }

  /// What the step has left behind, when its leader has ended and is not reaped yet. Reaps what has ended of it.
  ///
  /// If nothing is left this looks at this process's own children only, not at every process of the machine.
  func leftovers() -> [ProcessEntry] {
    if ProcessTree.adoptsOrphans, orphans(atMost: 1)?.isEmpty == true { return [] }
    return processes().filter { $0.pid != leader }
  }

  /// Living children that are no one else's than this step's; nil where the kernel does not list children. Reaps those
  /// that have ended.
  func orphans(atMost limit: Int = .max) -> [ProcessEntry]? {
    while let children = ProcessEntry.children() {
      var (found, hasReaped) = ([ProcessEntry](), false)
      for child in children where child != leader {
        guard let entry = ProcessEntry(child), isOrphan(entry) else { continue }
        if entry.isAlive { found.append(entry) } else { hasReaped = ProcessTree.reap(child) || hasReaped }
        if found.count == limit { return found }
      }
      // The children of one that has just ended may have come to us after the list was read: look again.
      if !hasReaped { return found }
    }
    return nil
  }

  private func isOrphan(_ child: ProcessEntry) -> Bool {
    child.start >= start && child.session != getsid(0) && !ProcessTree.isSpared(child.pid)
  }

  private func descendants() -> [ProcessEntry] {
    let table = ProcessEntry.all()
    let own = getpid()
    let roots = table.filter { $0.pid == leader || $0.session == leader || $0.parent == own && isOrphan($0) }
    return living(ProcessTree.descendants(of: Set(roots.map(\.pid)), in: table))
  }

  private func recognized() -> [ProcessEntry] {
    let table = ProcessEntry.all()
    let roots = table.filter { entry in
      if entry.pid == leader || entry.session == leader { return true }
      guard entry.start >= start, entry.isAlive, entry.pid != getpid(), !ProcessTree.isSpared(entry.pid) else {
        return false
      }
      return entry.writes(toPipe: pipe) || marker.map(entry.carries) ?? false
    }
    return living(ProcessTree.descendants(of: Set(roots.map(\.pid)), in: table))
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
