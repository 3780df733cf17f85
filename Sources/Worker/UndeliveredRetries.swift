import Steps
import Synchronization
import Volume

/// Tries undelivered results again while the worker waits or runs its job, one round at a time.
final class UndeliveredRetries: Sendable {
  /// The number of results that one round tries at most.
  private static let most = 64

  /// The end of the round that is under way.
  private let round = Mutex<AsyncStream<Void>?>(nil)

  /// Begins a round over `due`, unless a round is under way.
  func begin(_ due: [UndeliveredName], _ deliver: @escaping @Sendable (UndeliveredName) async -> Void) {
    guard !due.isEmpty else { return }
    round.withLock { round in
      guard round == nil else { return }
      let (ended, end) = AsyncStream.makeStream(of: Void.self)
      round = ended
      Task(executorPreference: TaskThread("undelivered")) { [self] in
        for name in due.prefix(UndeliveredRetries.most) { await deliver(name) }
        self.round.withLock { $0 = nil }
        end.finish()
      }
    }
  }

  /// Waits until the round is done, for half a second at most: the broker may be gone. The round goes on.
  func end() async {
    guard let round = round.withLock({ $0 }) else { return }
    await wait(atMost: .milliseconds(500)) { for await _ in round {} }
  }
}
