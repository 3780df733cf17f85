import Glibc

/// Kills a set of processes with SIGKILL, however many there are, even if they fork meanwhile.
///
/// Each round lists the machine's processes once, signals each group and then each process once, and reaps ended
/// processes by pid, so that the cost grows linearly: waiting for any child makes the kernel examine all that have not
/// ended. If new processes appear in a later round, they fork faster than this kills: then all are stopped first, until
/// a listing shows no new ones, because stopped processes do not fork and use up the limit of processes.
struct ProcessSweep {
  /// The processes that were sent SIGKILL.
  private(set) var killed: Set<ProcessEntry.Identity> = []
  private let find: () -> [ProcessEntry]
  private var stopped: Set<ProcessEntry.Identity> = []
  private var refused: Set<ProcessEntry.Identity> = []

  private static let shortestPause = Duration.milliseconds(1)
  private static let longestPause = Duration.milliseconds(20)
  /// The shortest time between two listings, unless all listed processes are gone; a listing that took longer is not
  /// repeated before that time.
  private static let shortestRound = Duration.milliseconds(50)
  /// The number of rounds in which forking processes are stopped before all known ones are killed.
  private static let stoppingRounds = 20

  /// `find` returns the living processes to kill, listed anew at each call.
  init(_ find: @escaping () -> [ProcessEntry]) {
    self.find = find
  }

  /// Returns when none is left that this process may signal, or when the time is up; returns those that are left.
  ///
  /// A process that hangs in the kernel does not end by SIGKILL. `listed` are processes that need not be listed anew: a
  /// listing of thousands takes as long as killing them.
  mutating func run(until deadline: ContinuousClock.Instant?, listed: [ProcessEntry] = []) -> [ProcessEntry] {
    var round = Self.shortestRound
    if !listed.isEmpty { kill(listed, atMost: round) }
    while true {
      ProcessTree.reapOrphans()
      let began = ContinuousClock.now
      var found = find()
      let look = began.duration(to: .now)
      var left = found.filter { !refused.contains($0.identity) }
      guard !left.isEmpty, deadline.map({ $0 > .now }) ?? true else { return found }
      if !killed.isEmpty, left.contains(where: { !killed.contains($0.identity) }) {
        found = stop(left)
        left = found.filter { !refused.contains($0.identity) }
      } else if left.allSatisfy({ killed.contains($0.identity) }) {
        // No new processes appear and the rest takes time to end: list less and less often.
        round = min(round * 2, .seconds(1))
      }
      kill(left, atMost: max(round, look))
    }
  }

  /// Kills them, and waits for their end.
  private mutating func kill(_ entries: [ProcessEntry], atMost limit: Duration) {
    refused.formUnion(ProcessTree.signal(SIGKILL, entries))
    killed.formUnion(entries.lazy.map(\.identity))
    awaitEnd(of: entries, atMost: limit)
  }

  /// Stops all processes until no new ones appear, and returns them.
  private mutating func stop(_ first: [ProcessEntry]) -> [ProcessEntry] {
    var found = first
    for _ in 0..<Self.stoppingRounds {
      let new = found.filter { stopped.insert($0.identity).inserted }
      if new.isEmpty { break }
      ProcessTree.signal(SIGSTOP, new)
      found = find()
    }
    return found
  }

  private func awaitEnd(of entries: [ProcessEntry], atMost limit: Duration) {
    let end = ContinuousClock.now + limit
    var left = entries
    var pause = Self.shortestPause
    repeat {
      usleep(UInt32(pause / .microseconds(1)))
      pause = min(pause * 2, Self.longestPause)
      if ProcessTree.adoptsOrphans { left.removeAll { !ProcessTree.isSpared($0.pid) && ProcessTree.reap($0.pid) } }
      // All must be gone: checking can stop at the first that is not.
      while let last = left.last, last.isGone { left.removeLast() }
    } while !left.isEmpty && .now < end
  }
}
