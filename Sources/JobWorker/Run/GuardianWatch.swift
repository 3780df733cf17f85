import CLinux
import Glibc

/// What the guardian's process does: learns of steps until the worker is gone, then kills what is left of them.
struct GuardianWatch {
  static let ignored = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGUSR1, SIGUSR2]

  private let socket: Int32
  private let marker: String
  private var sessions: [pid_t: GuardianMessage] = [:]

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
    var words = [Int64](repeating: 0, count: GuardianMessage.size / 8)
    while true {
      let count = words.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
      if count < 0, errno == EINTR { continue }
      guard count == GuardianMessage.size else { return }
      let message = GuardianMessage(words: words)
      if message.session > 0 { sessions[message.session] = message } else { sessions = [:] }
    }
  }

  /// Kills the steps' processes until none is left but such as this process may not signal.
  ///
  /// A next attempt of the same job has the same marker and may have begun: what started after the worker's death is
  /// left alone, unless it is of a step of its time or descends from one.
  func killAll() {
    let end = Self.ticksNow()
    var refused: Set<ProcessEntry.Identity> = []
    var looks = 0
    // A step that was being spawned as the worker died shows only once it has begun to be another program.
    var emptyLooks = 0
    while emptyLooks < 3 {
      let left = processes(notAfter: end).filter { !refused.contains($0.identity) }
      for entry in left where ProcessTree.kill(entry) == .refused { refused.insert(entry.identity) }
      emptyLooks = left.isEmpty ? emptyLooks + 1 : 0
      looks += 1
      usleep(UInt32(min(1000 << min(looks, 7), 100_000)))
    }
  }

  private func processes(notAfter end: UInt64) -> [ProcessEntry] {
    let table = ProcessEntry.all()
    let own = getpid()
    let pipes = Set(sessions.values.map(\.pipe))
    let roots = table.filter { entry in
      guard entry.isAlive, entry.pid != own else { return false }
      if let session = sessions[entry.session], entry.start >= session.start { return true }
      guard entry.start <= end else { return false }
      return entry.carries(marker) || pipes.contains { entry.writes(toPipe: $0) }
    }
    return ProcessTree.descendants(of: Set(roots.map(\.pid)), in: table).filter { $0.isAlive && $0.pid != own }
  }

  /// Now, as a process that starts now has it in its stat: ticks since boot.
  private static func ticksNow() -> UInt64 {
    let ticks = Int64(sysconf(Int32(_SC_CLK_TCK)))
    return UInt64(linux_time_since_boot() / (1_000_000_000 / ticks))
  }
}
