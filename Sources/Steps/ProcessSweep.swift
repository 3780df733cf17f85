import Glibc

/// Ends a set of processes by SIGKILL, however many there are, and though they fork while they are killed.
///
/// Each round looks at the machine's processes once, signals each group and then each process once, and reaps what ends by its
/// pid, so that its cost grows with their number and no faster: to ask the kernel for any child that has ended makes it look
/// at all that have not. Those that turn up only in a later round outrun this: then all are
/// stopped first, until a look shows no new ones, because whatever is stopped forks no more and leaves no room for others.
struct ProcessSweep {
  /// Those that were sent SIGKILL.
  private(set) var killed: Set<ProcessEntry.Identity> = []
  private let find: () -> [ProcessEntry]
  private var stopped: Set<ProcessEntry.Identity> = []
  private var refused: Set<ProcessEntry.Identity> = []

  private static let shortestPause = Duration.milliseconds(1)
  private static let longestPause = Duration.milliseconds(20)
  /// A look is not repeated before this time unless all that it found are gone, nor before the time that it took itself.
  private static let shortestRound = Duration.milliseconds(50)
  /// How often those that fork are stopped before they are killed as far as they are known.
  private static let stoppingRounds = 20

  /// `find` returns what is to be ended and is alive, each time anew.
  init(_ find: @escaping () -> [ProcessEntry]) {
    self.find = find
  }

  /// Returns when none is left but such as this process may not signal, or when the time is up; returns those that are left.
  ///
  /// What hangs in the kernel does not end by SIGKILL.
  package mutating func run(until deadline: ContinuousClock.Instant?) -> [ProcessEntry] {
    var round = Self.shortestRound
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
        // What is left takes its time: as nothing new comes, there is less and less reason to look.
        round = min(round * 2, .seconds(1))
      }
      refused.formUnion(ProcessTree.signal(SIGKILL, left))
      killed.formUnion(left.lazy.map(\.identity))
      awaitEnd(of: left, atMost: max(round, look))
    }
  }

  /// Stops all until no new ones turn up, and returns them.
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
      // All must be gone: it is enough to look until the first that is not.
      while let last = left.last, last.isGone { left.removeLast() }
    } while !left.isEmpty && .now < end
  }
}
