import CLinux
import Glibc
import Synchronization
package import SystemPackage

/// The processes that this one has started or has taken over, and how they are ended and reaped.
///
/// Once `adoptOrphans` was called, whatever a step starts stays a descendant of this process however it detaches
/// itself, so nothing escapes. Without it a step's processes are still found by their session, by the log pipe that
/// they hold and by the `JOB_WORKSPACE` in their environment, at the price of a look at every process at each step's end.
package enum ProcessTree {
  private struct State {
    var adoptsOrphans = false
    /// Children that are not orphans of a step: never ended and never reaped here.
    var spared: [pid_t] = []
    /// Children that are being spawned, of which it is not known yet which they are.
    var spawning = 0
  }

  private static let state = Mutex(State())

  /// Makes this process the one to which orphaned descendants fall (prctl(2), PR_SET_CHILD_SUBREAPER; PID 1 is it
  /// anyhow). From then on children in other sessions that nobody here knows are taken for orphans of a step: the
  /// executable calls it once, at its start; a program that has children of its own in sessions of their own must not.
  package static func adoptOrphans() throws(Errno) {
    // A parent that ignored SIGCHLD hands that on: children would then be gone before their exit status is read.
    Glibc.signal(SIGCHLD, SIG_DFL)
    guard linux_become_subreaper() == 0 else { throw Errno(rawValue: errno) }
    state.withLock { $0.adoptsOrphans = true }
  }

  static var adoptsOrphans: Bool { state.withLock { $0.adoptsOrphans } }

  /// Keeps every hand off new children until `didSpawn`: one that ends at once must not be reaped as an orphan.
  static func willSpawn() { state.withLock { $0.spawning += 1 } }

  /// Spares the child that was spawned, if one was, until `unspare`.
  static func didSpawn(_ pid: pid_t?) {
    state.withLock { state in
      state.spawning -= 1
      if let pid { state.spared.append(pid) }
    }
  }

  static func unspare(_ pid: pid_t) { state.withLock { $0.spared.removeAll { $0 == pid } } }
  static func isSpared(_ pid: pid_t) -> Bool { state.withLock { $0.spared.contains(pid) } }

  /// Reaps orphans that have ended; never a child whose status somebody here waits for. Costs one system call if there
  /// is none. PID 1 should call it at SIGCHLD also while no step runs.
  package static func reapOrphans() {
    // Under the lock, so that no spawn can begin meanwhile.
    state.withLock { state in
      guard state.adoptsOrphans, state.spawning == 0 else { return }
      while true {
        var status = siginfo_t()
        guard waitid(P_ALL, 0, &status, WEXITED | WNOHANG | WNOWAIT) == 0 else { return }
        let pid = status._sifields._sigchld.si_pid
        guard pid > 0 else { return }
        guard isOrphan(pid, state.spared) else {
          // The first zombie is one that others wait for, and would be shown again for ever: ask of each child. In the order of
          // the list, in which the kernel seeks them, too: those in front are gone by then.
          for child in ProcessEntry.children() ?? [] where isOrphan(child, state.spared) { reap(child) }
          return
        }
        reap(pid)
      }
    }
  }

  /// A child that came to this process, rather than from it: those that it starts share its session, or are spared.
  private static func isOrphan(_ pid: pid_t, _ spared: [pid_t]) -> Bool {
    guard !spared.contains(pid) else { return false }
    let session = getsid(pid)
    return session >= 0 && session != getsid(0)
  }

  /// Takes the status of a child that has ended. `false` if it is alive, or no child.
  @discardableResult
  static func reap(_ pid: pid_t) -> Bool {
    var status = siginfo_t()
    return waitid(P_PID, id_t(pid), &status, WEXITED | WNOHANG) == 0 && status._sifields._sigchld.si_pid == pid
  }

  /// Every process among `table` that descends from one of `roots`, these included.
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

  /// Sends a signal to each group of processes that is not ours, as a whole, so that one that forks cannot outrun it, and to
  /// those of which that does not say whether it reached them all. Returns those that this process may not signal.
  @discardableResult
  package static func signal(_ signal: Int32, _ entries: [ProcessEntry]) -> [ProcessEntry.Identity] {
    let (group, session) = (getpgrp(), getsid(0))
    var isReached: [pid_t: Bool] = [:]
    let others = entries.filter { entry in
      guard entry.group > 1, entry.group != group, entry.session != session else { return true }
      if let isReached = isReached[entry.group] { return !isReached }
      // As root all of a group is reached if one is; for others kill(2) does not tell.
      isReached[entry.group] = Glibc.kill(-entry.group, signal) == 0 && geteuid() == 0
      return isReached[entry.group] != true
    }
    return others.filter { send(signal, to: $0) == .refused }.map(\.identity)
  }

  package static func send(_ signal: Int32, to entry: ProcessEntry) -> Delivery {
    guard Glibc.kill(entry.pid, signal) != 0 else { return .delivered }
    return errno == EPERM ? .refused : .gone
  }

  package enum Delivery { case delivered, gone, refused }
}

extension ProcessTree {
  /// How long the remains of an earlier attempt may take to end.
  private static let patienceWithRemains = Duration.seconds(30)

  /// Ends what the steps of workers left behind that were killed together with their guardians, as far as cgroups tell. Call it
  /// at the start of a worker.
  package static func endAbandoned() { StepCgroup.endAbandoned() }

  /// Kills every process on this machine that carries `entry` in its environment, with all that descends from it, and
  /// returns when none is left but such as may not be signalled, or after 30 seconds: what hangs in the kernel with SIGKILL
  /// pending does nothing more in any case. Returns how many are left. Blocks meanwhile.
  ///
  /// For the remains of an earlier attempt of a job: its worker may be dead and its guardian still at work, or it may be
  /// frozen while its step runs on.
  package static func killAll(carrying entry: String) -> Int {
    let own = getpid()
    var sweep = ProcessSweep {
      let table = ProcessEntry.all()
      let roots = table.filter { $0.isAlive && $0.pid != own && $0.carries(entry) }
      return descendants(of: Set(roots.map(\.pid)), in: table).filter { $0.isAlive && $0.pid != own }
    }
    return sweep.run(until: .now + patienceWithRemains).count
  }
}
