import Synchronization
import SystemPackage

/// The thread that watches over one step: lets it run until it ends, its time is up or its end is asked for, and then
/// ends all that is left of it.
///
/// It exists before the step is spawned, because a step may use up every thread that the system allows.
final class StepEnding: Sendable {
  struct Outcome: Sendable {
    var timedOut = false
    var stopped: StopReason?
    var killed = false
    var ended: Set<ProcessEntry.Identity> = []
    var survivors = 0
  }

  struct Spawned: Sendable {
    let lineage: StepLineage
    /// Becomes readable when the leader has ended; negative on kernels that have no such thing.
    let pidfd: Int32
    let guardian: Guardian?
  }

  private enum Start { case pending, spawned(Spawned), failed }

  private let start = Mutex(Start.pending)
  private let wakeup: Wakeup
  private let thread = Mutex<ThreadResult<Outcome>?>(nil)

  init(timeout: Duration?, grace: Duration, stop: StopRequest) throws(Errno) {
    let wakeup = try Wakeup()
    self.wakeup = wakeup
    let result = ThreadResult("step-ending") { [self] in
      guard let spawned = awaitStart() else { return Outcome() }
      stop.add(wakeup)
      defer { stop.remove(wakeup) }
      var watch = StepWatch(spawned, timeout: timeout, grace: grace, stop: stop, wakeup: wakeup)
      return watch.run()
    }
    thread.withLock { $0 = result }
  }

  /// The step runs: watch over it until nothing of it is left. Its leader is then a zombie, for its parent to reap.
  func watch(_ spawned: Spawned) async -> Outcome {
    begin(.spawned(spawned))
    return await thread.withLock { $0 }?.value() ?? Outcome()
  }

  /// There is no step. False if there was one after all.
  func abandon() -> Bool { begin(.failed) }

  /// The first to come decides.
  @discardableResult
  private func begin(_ value: Start) -> Bool {
    let isFirst = start.withLock { start in
      guard case .pending = start else { return false }
      start = value
      return true
    }
    wakeup.signal()
    return isFirst
  }

  private func awaitStart() -> Spawned? {
    while true {
      switch start.withLock({ $0 }) {
      case .spawned(let spawned): return spawned
      case .failed: return nil
      case .pending:
        wakeup.wait(atMost: .seconds(3600))
        wakeup.clear()
      }
    }
  }
}
