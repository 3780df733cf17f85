import CLinux
import Glibc
import Synchronization
package import SystemPackage

/// The processes that this one has started or adopted, and how they are ended and reaped.
///
/// After `adoptOrphans`, everything that a step starts stays a descendant of this process however it detaches itself,
/// so nothing escapes. Without it, a step's processes are still found by their session, by the log pipe that they hold
/// and by the `JOB_WORKSPACE` in their environment, at the cost of listing all processes at the end of each step.
package enum ProcessTree {
  private struct State {
    var adoptsOrphans = false
    /// Children that are not orphans of a step: never ended and never reaped here.
    var spared: [pid_t] = []
    /// The number of children being spawned, whose pids are not known yet.
    var spawning = 0
  }

  private static let state = Mutex(State())
  private static let tally = Mutex(ProcessUsage())

  /// Makes this process the reaper of its orphaned descendants (prctl(2), PR_SET_CHILD_SUBREAPER; PID 1 is it anyway).
  /// From then on unknown children in other sessions count as orphans of a step: the executable calls this once, at its
  /// start; a program that has children in sessions of their own must not.
  package static func adoptOrphans() throws(Errno) {
    // An ignored SIGCHLD is inherited: children would then vanish before their exit status is read.
    Glibc.signal(SIGCHLD, SIG_DFL)
    guard linux_become_subreaper() == 0 else { throw Errno(rawValue: errno) }
    state.withLock { $0.adoptsOrphans = true }
  }

  static var adoptsOrphans: Bool { state.withLock { $0.adoptsOrphans } }

  /// Suspends reaping until `didSpawn`: a new child that ends at once must not be reaped as an orphan.
  static func willSpawn() { state.withLock { $0.spawning += 1 } }

  /// Spares the spawned child, if there is one, until `unspare`.
  static func didSpawn(_ pid: pid_t?) {
    state.withLock { state in
      state.spawning -= 1
      if let pid { state.spared.append(pid) }
    }
  }

  static func unspare(_ pid: pid_t) { state.withLock { $0.spared.removeAll { $0 == pid } } }
  static func isSpared(_ pid: pid_t) -> Bool { state.withLock { $0.spared.contains(pid) } }

  /// Reaps orphans that have ended; never a child whose status other code waits for. Costs one system call if there is
  /// none.
  package static func reapOrphans() {
    // Hold the lock, so that no spawn can begin meanwhile.
    state.withLock { state in
      guard state.adoptsOrphans, state.spawning == 0 else { return }
      while true {
        var status = siginfo_t()
        guard waitid(P_ALL, 0, &status, WEXITED | WNOHANG | WNOWAIT) == 0 else { return }
        let pid = status._sifields._sigchld.si_pid
        guard pid > 0 else { return }
        guard isOrphan(pid, state.spared) else {
          // Other code waits for the first zombie, which waitid(2) would return for ever: check each child. Follow the
          // order of the list, in which the kernel searches, too: earlier children are reaped by then.
          for child in ProcessEntry.children() ?? [] where isOrphan(child, state.spared) { reap(child) }
          return
        }
        reap(pid)
      }
    }
  }

  /// Whether this process adopted the child: those that it starts itself share its session, or are spared.
  private static func isOrphan(_ pid: pid_t, _ spared: [pid_t]) -> Bool {
    guard !spared.contains(pid) else { return false }
    let session = getsid(pid)
    return session >= 0 && session != getsid(0)
  }

  /// Reaps a child that has ended, and adds what it used to the tally. Returns `false` if it is alive, or not a child.
  @discardableResult
  static func reap(_ pid: pid_t) -> Bool {
    var (status, used): (Int32, rusage) = (0, rusage())
    guard wait4(pid, &status, WNOHANG, &used) == pid else { return false }
    tally.withLock { $0.add(used) }
    return true
  }

  /// What all orphans used that were reaped since this was called last.
  static func takeTally() -> ProcessUsage {
    tally.withLock { tally in
      defer { tally = ProcessUsage() }
      return tally
    }
  }

  /// All processes in `table` that descend from one of `roots`, including these.
  static func descendants(of roots: Set<pid_t>, in table: [ProcessEntry]) -> [ProcessEntry] {
    let children = Dictionary(grouping: table, by: \.parent)
    let entries = Dictionary(table.map { ($0.pid, $0) }, uniquingKeysWith: { first, _ in first })
    var found = roots.compactMap { entries[$0] }
    var seen = roots
    var next = 0
    while next < found.count {
      for child in children[found[next].pid] ?? [] where seen.insert(child.pid).inserted { found.append(child) }
      next += 1
    }
    return found
  }

  /// The living processes for which `isRoot` is true, and their living descendants, without this process.
  static func living(_ isRoot: (ProcessEntry) -> Bool) -> [ProcessEntry] {
    let table = ProcessEntry.all()
    let own = getpid()
    let roots = table.filter { $0.isAlive && $0.pid != own && isRoot($0) }
    return descendants(of: Set(roots.map(\.pid)), in: table).filter { $0.isAlive && $0.pid != own }
  }

  /// Signals each process group other than this process's own as a whole, so that a forking process cannot escape, then
  /// individually those processes that the group signal may have missed. Returns those that this process may not
  /// signal.
  @discardableResult
  static func signal(_ signal: Int32, _ entries: [ProcessEntry]) -> [ProcessEntry.Identity] {
    let (group, session) = (getpgrp(), getsid(0))
    var isReached: [pid_t: Bool] = [:]
    let others = entries.filter { entry in
      guard entry.group > 1, entry.group != group, entry.session != session else { return true }
      if let isReached = isReached[entry.group] { return !isReached }
      // As root, a group signal that reaches one member reaches all; for other users kill(2) does not report that.
      isReached[entry.group] = Glibc.kill(-entry.group, signal) == 0 && geteuid() == 0
      return isReached[entry.group] != true
    }
    return others.filter { send(signal, to: $0) == .refused }.map(\.identity)
  }

  static func send(_ signal: Int32, to entry: ProcessEntry) -> Delivery {
    guard Glibc.kill(entry.pid, signal) != 0 else { return .delivered }
    return errno == EPERM ? .refused : .gone
  }

  enum Delivery { case delivered, gone, refused }
}

extension ProcessTree {
  /// How long ending the processes of an earlier attempt may take.
  private static let patienceWithRemains = Duration.seconds(30)

  /// Ends the processes that steps left in cgroups when their workers were killed together with the guardians. Call it
  /// when a worker starts.
  package static func endAbandoned() { StepCgroup.endAbandoned() }

  /// Kills every process on this machine that has `entry` in its environment, with all its descendants, and returns
  /// when none is left that may be signalled, or after 30 seconds: a process that hangs in the kernel with SIGKILL
  /// pending does nothing more anyway. Returns how many are left. Blocks meanwhile.
  ///
  /// For processes of an earlier attempt of a job: its worker may be dead and its guardian still busy, or it may be
  /// frozen while its step runs on.
  package static func killAll(carrying entry: String) -> Int {
    var sweep = ProcessSweep { living { $0.carries(entry) } }
    return sweep.run(until: .now + patienceWithRemains).count
  }
}
