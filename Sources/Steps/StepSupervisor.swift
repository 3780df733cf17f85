import Glibc
import Jobs
import SystemPackage

/// Supervises one running step until it ends, times out or is asked to end. Then ends all its remaining processes.
struct StepSupervisor {
  struct Outcome: Sendable {
    var timedOut = false
    var stopped: StopReason?
    var killed = false
    var ended: Set<ProcessEntry.Identity> = []
    var survivors = 0
    var usage = Usage()
    var memoryLimit: MemoryLimit?
  }

  private let processes: StepProcesses
  private let cgroup: StepCgroup?
  /// Becomes readable when the leader has ended; negative on kernels without pidfd.
  private let pidfd: Int32
  private let guardian: Guardian?
  private let grace: Duration
  private let stop: StopRequest
  private let wakeup: Wakeup
  private let timeoutAt: ContinuousClock.Instant?
  private var killAt: ContinuousClock.Instant?
  private var pressure = StopLevel.none
  private var asked: Set<ProcessEntry.Identity> = []
  /// The sessions that the guardian has been told of.
  private var told: Set<pid_t>
  private var nextLook = ContinuousClock.now + Self.orphanInterval
  private var sweep: ProcessSweep
  private var outcome = Outcome()

  /// The time within which any process ends after SIGKILL, unless it hangs in the kernel.
  private static let patience = Duration.seconds(30)
  /// The intervals between checks of processes that cannot report their end.
  private static let shortWait = Duration.milliseconds(1)
  private static let longWait = Duration.milliseconds(20)
  /// The interval between checks for orphans while the step runs.
  private static let orphanInterval = Duration.milliseconds(200)

  /// `wakeup` is signaled when `stop` is raised.
  init(
    _ processes: StepProcesses, in cgroup: StepCgroup?, pidfd: Int32, guardian: Guardian?, timeout: Duration?,
    grace: Duration, stop: StopRequest, wakeup: Wakeup
  ) {
    self.processes = processes
    self.cgroup = cgroup
    told = [processes.leader]
    sweep = ProcessSweep(processes.alive)
    self.pidfd = pidfd
    self.guardian = guardian
    self.grace = grace
    self.stop = stop
    self.wakeup = wakeup
    timeoutAt = timeout.map { ContinuousClock.now.advanced(by: min($0, .seconds(1 << 40))) }
  }

  // MARK: From the spawn until the status is taken

  /// Starts the step, supervises it to its end, and reaps it. `wakeup` wakes the calling thread when `stop` is raised.
  static func run(
    _ command: StepCommand, _ arguments: [String], _ output: StepPipe, guardian: Guardian?, stop: StopRequest,
    wakeup: Wakeup
  ) throws(SpawnError) -> (StepEnd, Outcome) {
    guardian?.revive()
    // Discard the guardian's report about an earlier step.
    _ = guardian?.hasEndedStep()
    let cgroup = StepCgroup.make()
    if let cgroup { guardian?.watch(cgroup) }
    let memory = MemoryEvents(inFirstOf: [cgroup?.path] + StepCgroup.ownPlaces)
    // Orphans that others left are not of this step.
    _ = ProcessTree.takeTally()
    let leader: StepProcess
    do throws(SpawnError) {
      leader = try spawn(command, arguments, output, in: cgroup)
    } catch {
      cgroup?.end()
      guardian?.forgetStep()
      throw error
    }
    let pidfd = leader.descriptor()
    defer { if pidfd >= 0 { close(pidfd) } }
    let marker = command.environment[StepEnvironment.markerName].map { "\(StepEnvironment.markerName)=\($0)" }
    let processes = StepProcesses(
      leader: leader.pid, start: ProcessEntry(leader.pid)?.start ?? 0, pipe: output.inode, marker: marker)
    guardian?.watch(session: processes.leader, since: processes.start, pipe: processes.pipe)
    stop.add(wakeup)
    var supervisor = StepSupervisor(
      processes, in: cgroup, pidfd: pidfd, guardian: guardian, timeout: command.timeout, grace: command.grace,
      stop: stop, wakeup: wakeup)
    var outcome = supervisor.run()
    stop.remove(wakeup)
    if guardian?.hasEndedStep() == true {
      stop.raise(.kill, reason: .lapsed)
      outcome.stopped = stop.reason
    }
    outcome.memoryLimit = memory?.newKill()
    cgroup?.end()
    guardian?.forgetStep()
    var leaders = ProcessUsage()
    let end = leader.reap(&leaders)
    // Only now, since reapOrphans() must not take the leader's status.
    ProcessTree.unspare(leader.pid)
    // Reap the processes that ended with the cgroup.
    ProcessTree.reapOrphans()
    outcome.usage = ProcessTree.takeTally().usage
    outcome.usage.add(leaders.usage)
    return (end, outcome)
  }

  private static func spawn(
    _ command: StepCommand, _ arguments: [String], _ output: StepPipe, in cgroup: StepCgroup?
  ) throws(SpawnError) -> StepProcess {
    // From now on only the step holds the pipe's write end.
    defer { close(output.writeEnd.rawValue) }
    ProcessTree.willSpawn()
    do throws(SpawnError) {
      let process = try StepProcess.spawn(arguments, command, in: cgroup, output: output.writeEnd)
      ProcessTree.didSpawn(process.pid)
      return process
    } catch {
      ProcessTree.didSpawn(nil)
      throw error
    }
  }

  /// Returns when only the step's leader is left, as a zombie that is to be reaped.
  mutating func run() -> Outcome {
    while !leaderEnded() {
      if escalate(), pressure == .terminate { terminate(processes.alive()) }
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

  /// Whether the leader has ended. It stays a zombie: its status is read by `reap`.
  private func leaderEnded() -> Bool {
    var status = siginfo_t()
    guard waitid(P_PID, id_t(processes.leader), &status, WEXITED | WNOHANG | WNOWAIT) == 0 else { return true }
    return status._sifields._sigchld.si_pid != 0
  }

  /// Reaps ended orphans, and tells the guardian of living ones: without the worker it could not recognize a daemon
  /// without any mark of the step.
  private mutating func lookAfterOrphans() {
    guard ProcessTree.adoptsOrphans, nextLook <= .now else { return }
    let began = ContinuousClock.now
    ProcessTree.reapOrphans()
    for orphan in processes.orphans() ?? [] where told.insert(orphan.session).inserted {
      guardian?.watch(session: orphan.session, since: orphan.start, pipe: processes.pipe)
    }
    // Listing very many processes must not take all the time.
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

  /// Raises the pressure if there is a reason. The outcome names the first reason.
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

  /// Goes from TERM to KILL when the grace period is over, or the stop request demands it.
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
    outcome.survivors = killAll(listed: left)
  }

  /// Returns how many of the step's processes are left: those that may not be killed, or hang in the kernel.
  @discardableResult
  private mutating func killAll(listed: [ProcessEntry] = []) -> Int {
    // Only this thread reaps its children: the pids of those in the list are still theirs.
    let children = ProcessTree.adoptsOrphans ? listed.filter { $0.parent == getpid() } : []
    let left = sweep.run(until: .now + Self.patience, listed: children)
    guard !left.isEmpty, let cgroup else { return left.filter { $0.pid != processes.leader }.count }
    // Processes of other users, as of sudo(8), may not be signaled one by one.
    cgroup.end()
    return processes.alive().filter { $0.pid != processes.leader }.count
  }

  /// Returns when all of them are gone, or the pressure rises to `.kill`, or a new listing is due.
  private mutating func awaitEnd(of entries: [ProcessEntry]) {
    // Dying processes may have forked meanwhile: a new listing is due soon.
    let recheck = ContinuousClock.now + .seconds(1)
    var left = entries
    var pause = Self.shortWait
    while ContinuousClock.now < recheck {
      if wakeup.wait(atMost: min(pause, killAt.map { ContinuousClock.now.duration(to: $0) } ?? pause)) == .ready {
        wakeup.clear()
      }
      hasten()
      // All must be gone: checking can stop at the first that is not.
      while let last = left.last, last.isGone { left.removeLast() }
      if left.isEmpty || pressure == .kill { return }
      pause = min(pause * 2, Self.longWait)
    }
  }

  /// Sends SIGTERM to processes that did not get it yet.
  private mutating func terminate(_ entries: [ProcessEntry]) {
    for entry in entries {
      if asked.insert(entry.identity).inserted { _ = ProcessTree.send(SIGTERM, to: entry) }
      // A stopped process handles SIGTERM only after SIGCONT.
      if entry.isStopped { _ = ProcessTree.send(SIGCONT, to: entry) }
    }
  }
}
