import Glibc
import SystemPackage

/// Watches over one step that runs: until it ends, its time is up or its end is asked for. Then it ends all that is left.
struct StepSupervisor {
  package struct Outcome: Sendable {
    package var timedOut = false
    package var stopped: StopReason?
    package var killed = false
    package var ended: Set<ProcessEntry.Identity> = []
    var survivors = 0
  }

  private let processes: StepProcesses
  private let cgroup: StepCgroup?
  /// Becomes readable when the leader has ended; negative on kernels that have no such thing.
  private let pidfd: Int32
  private let guardian: Guardian?
  private let grace: Duration
  private let stop: StopRequest
  private let wakeup: Wakeup
  private let timeoutAt: ContinuousClock.Instant?
  private var killAt: ContinuousClock.Instant?
  private var pressure = StopLevel.none
  private var asked: Set<ProcessEntry.Identity> = []
  /// Sessions of which the guardian knows.
  private var told: Set<pid_t>
  private var nextLook = ContinuousClock.now + Self.orphanInterval
  private var sweep: ProcessSweep
  private var outcome = Outcome()

  /// Within this time a process that nothing can hold up is gone after SIGKILL. Who is not hangs in the kernel.
  private static let patience = Duration.seconds(30)
  /// Between looks at what cannot tell by itself that it has ended.
  private static let shortWait = Duration.milliseconds(1)
  private static let longWait = Duration.milliseconds(20)
  /// Between looks at what the step has orphaned while it runs.
  private static let orphanInterval = Duration.milliseconds(200)

  /// `wakeup` is signaled when `stop` is raised.
  init(
    _ processes: StepProcesses, in cgroup: StepCgroup?, pidfd: Int32, guardian: Guardian?, timeout: Duration?,
    grace: Duration, stop: StopRequest, wakeup: Wakeup
  ) {
    self.processes = processes
    self.cgroup = cgroup
    told = [processes.leader]
    sweep = ProcessSweep(processes.processes)
    self.pidfd = pidfd
    self.guardian = guardian
    self.grace = grace
    self.stop = stop
    self.wakeup = wakeup
    timeoutAt = timeout.map { ContinuousClock.now.advanced(by: min($0, .seconds(1 << 40))) }
  }

  /// Returns when nothing of the step is left but its leader, as a zombie that is to be reaped.
  package mutating func run() -> Outcome {
    while !leaderEnded() {
      if escalate(), pressure == .terminate { terminate(processes.processes()) }
      if pressure == .kill { killAll() }
      guardian?.revive()
      lookAfterOrphans()
      waitForLeader()
    }
    endLeftovers()
    outcome.killed = !sweep.killed.isEmpty
    outcome.ended = asked.union(sweep.killed).filter { $0.pid != processes.leader }
    return outcome
  }

  // MARK: While the leader runs

  /// Whether the leader has ended. It stays a zombie: its status is for the one who spawned it.
  private func leaderEnded() -> Bool {
    var status = siginfo_t()
    guard waitid(P_PID, id_t(processes.leader), &status, WEXITED | WNOHANG | WNOWAIT) == 0 else { return true }
    return status._sifields._sigchld.si_pid != 0
  }

  /// Reaps those that have ended, and tells the guardian of those that live: with the worker gone it could not tell
  /// that a daemon with nothing of the step about it is one of its orphans.
  private mutating func lookAfterOrphans() {
    guard ProcessTree.adoptsOrphans, nextLook <= .now else { return }
    let began = ContinuousClock.now
    ProcessTree.reapOrphans()
    for orphan in processes.orphans() ?? [] where told.insert(orphan.session).inserted {
      guardian?.watch(session: orphan.session, since: orphan.start, pipe: processes.pipe)
    }
    // To look at very many must not become all that is done.
    nextLook = .now + max(Self.orphanInterval, began.duration(to: .now) * 10)
  }

  private mutating func waitForLeader() {
    var limit = pidfd < 0 ? Self.longWait : Self.orphanInterval
    if let due = pressure == .none ? timeoutAt : killAt { limit = min(limit, ContinuousClock.now.duration(to: due)) }
    var entries = [wakeup.descriptor, pidfd, guardian?.descriptor ?? -1].map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    _ = poll(&entries, 3, limit.pollTimeout)
    if entries[0].revents != 0 { wakeup.clear() }
  }

  /// Raises the pressure if there is reason to. The first reason is the one that the outcome names.
  private mutating func escalate() -> Bool {
    let before = pressure
    let asked = stop.level
    if pressure == .none, asked > .none {
      outcome.stopped = stop.reason
      raise(to: asked)
    } else if pressure == .none, let timeoutAt, timeoutAt <= .now {
      outcome.timedOut = true
      raise(to: .terminate)
    }
    hasten()
    return pressure > before
  }

  private mutating func raise(to level: StopLevel) {
    pressure = level
    killAt = level == .terminate ? ContinuousClock.now.advanced(by: min(grace, .seconds(1 << 40))) : nil
  }

  /// From TERM to KILL: when the grace is over, or somebody does not want to wait for that.
  private mutating func hasten() {
    guard pressure == .terminate else { return }
    if stop.level == .kill || killAt.map({ $0 <= .now }) ?? false { raise(to: .kill) }
  }

  // MARK: When it has ended

  private mutating func endLeftovers() {
    var left = processes.leftovers()
    if left.isEmpty { return }
    if pressure == .none { raise(to: stop.level == .kill ? .kill : .terminate) }
    hasten()
    while pressure < .kill {
      guardian?.revive()
      terminate(left)
      awaitEnd(of: left)
      guard pressure < .kill else { break }
      left = processes.leftovers()
      if left.isEmpty { return }
      hasten()
    }
    outcome.survivors = killAll()
  }

  /// Returns how many of the step's processes are left: such as may not be killed, or hang in the kernel.
  @discardableResult
  private mutating func killAll() -> Int {
    let left = sweep.run(until: .now + Self.patience)
    guard !left.isEmpty, let cgroup else { return left.filter { $0.pid != processes.leader }.count }
    // Those of other users, as sudo(8) makes them, may not be signaled one by one.
    cgroup.end()
    return processes.processes().filter { $0.pid != processes.leader }.count
  }

  /// Returns when all of them are gone, or something is to be done about them.
  private mutating func awaitEnd(of entries: [ProcessEntry]) {
    // The dying may have had children meanwhile: a new look is due soon.
    let recheck = ContinuousClock.now + .seconds(1)
    var left = entries
    var pause = Self.shortWait
    while ContinuousClock.now < recheck {
      if wakeup.wait(atMost: min(pause, killAt.map { ContinuousClock.now.duration(to: $0) } ?? pause)) == .ready {
        wakeup.clear()
      }
      hasten()
      // All must be gone: it is enough to look until the first that is not.
      while let last = left.last, last.isGone { left.removeLast() }
      if left.isEmpty || pressure == .kill { return }
      pause = min(pause * 2, Self.longWait)
    }
  }

  /// Asks those to end that were not asked yet.
  private mutating func terminate(_ entries: [ProcessEntry]) {
    for entry in entries {
      if asked.insert(entry.identity).inserted {
        _ = ProcessTree.send(SIGTERM, to: entry)
        // A stopped process would see TERM only after somebody had continued it, and it may have been stopped since it
        // was looked at.
        _ = ProcessTree.send(SIGCONT, to: entry)
      } else if entry.isStopped {
        _ = ProcessTree.send(SIGCONT, to: entry)
      }
    }
  }
}
