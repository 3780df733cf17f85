import Glibc

/// What the guardian's process does: learns of steps until the worker is gone, then kills what is left of them.
struct GuardianWatch {
  static let ignored = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGUSR1, SIGUSR2]

  private let socket: Int32
  private let marker: String
  private var steps: [pid_t: StepLineage] = [:]

  init(socket: Int32, marker: String) {
    self.socket = socket
    self.marker = marker
  }

  /// Lets go of everything that this process shares with the worker but stdin.
  static func detach() {
    for number in ignored { signal(number, SIG_IGN) }
    _ = setsid()
    _ = chdir("/")
    let null = open("/dev/null", O_RDWR)
    if null >= 0 {
      dup2(null, 1)
      dup2(null, 2)
    }
    for descriptor in ProcessEntry.descriptorsOfThisProcess() where descriptor > 2 { close(descriptor) }
  }

  /// Returns when the other end is closed, whoever closed it.
  mutating func awaitEndOfFile() {
    var words = [Int64](repeating: 0, count: 4)
    while true {
      let count = words.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
      if count < 0, errno == EINTR { continue }
      guard count == 32, let message = GuardianMessage(words: words) else { return }
      let step = message.step(marker: marker)
      steps[step.leader] = message.kind == .watch ? step : nil
    }
  }

  /// Kills the steps' processes until none is left but such as this process may not signal.
  ///
  /// A next attempt of the same job has the same marker and may have begun: what started after the worker's death is
  /// left alone, unless it is of a step of its time or descends from one.
  func killAll() {
    let end = Self.ticksNow()
    var refused: Set<ProcessEntry.Identity> = []
    var pause: UInt32 = 500
    while true {
      let left = processes(notAfter: end).filter { !refused.contains($0.identity) }
      if left.isEmpty { return }
      for entry in left where ProcessTree.kill(entry) == .refused { refused.insert(entry.identity) }
      usleep(pause)
      pause = min(pause * 2, 100_000)
    }
  }

  private func processes(notAfter end: UInt64) -> [ProcessEntry] {
    let table = ProcessEntry.all()
    let own = getpid()
    let roots = table.filter { entry in
      guard entry.isAlive, entry.pid != own else { return false }
      if let step = steps[entry.session], entry.start >= step.start { return true }
      guard entry.start <= end else { return false }
      return entry.carries(marker) || steps.values.contains { entry.start >= $0.start && entry.writes(toPipe: $0.pipe) }
    }
    return ProcessTree.descendants(of: Set(roots.map(\.pid)), in: table).filter { $0.isAlive && $0.pid != own }
  }

  /// Now, as a process that starts now has it in its stat: ticks since boot.
  private static func ticksNow() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_BOOTTIME, &now)
    let ticks = sysconf(Int32(_SC_CLK_TCK))
    return UInt64(now.tv_sec * ticks + now.tv_nsec * ticks / 1_000_000_000)
  }
}
