import Jobs
import MQTT
import Steps
import Synchronization
import Volume
import Worker

/// Defers all requests that arrive on a session.
final class QueueDrain: Sendable {
  private struct State {
    var handled = 0
    var mark = 0
    var failure: (any Error)?
  }

  private let state = Mutex(State())
  private let epoch: SessionEpoch
  private let moves: @Sendable () -> Void

  /// `epoch` is the epoch that the session's owner knew: the broker may send the owner's deliveries again. Calls `moves` at
  /// each delivery and each round trip.
  init(
    _ session: Session, _ epoch: SessionEpoch, _ deferral: RequestDeferral, moves: @escaping @Sendable () -> Void
  ) {
    self.epoch = epoch
    self.moves = moves
    Task(executorPreference: TaskThread("takeover")) { [self] in
      for await event in session.events {
        switch event {
        case .delivery(let delivery): await handle(delivery, session, deferral)
        // The owner may have come back. The session is then the owner's, and must not be taken again.
        case .connectionLost(let error), .failed(let error): stop(session, error)
        case .connected: break
        }
      }
    }
  }

  private func handle(_ delivery: Delivery, _ session: Session, _ deferral: RequestDeferral) async {
    state.withLock { $0.handled += 1 }
    // The worker may have another job by the time that the rest is seen.
    if failure == nil { moves() }
    do {
      // Messages read after the connection has ended belong to the owner again.
      let outcome = try await deferral.settle(delivery, epoch) { delivery.isCurrent }
      guard case .settled = outcome else { return stop(session, MQTTError.closed) }
      await delivery.acknowledge()
    } catch {
      stop(session, error)
    }
  }

  private func stop(_ session: Session, _ error: any Error) {
    state.withLock { $0.failure = $0.failure ?? error }
    session.drop()
  }

  /// Remembers how many deliveries have arrived.
  func mark() {
    state.withLock { $0.mark = $0.handled }
  }

  /// Whether deliveries have arrived since ``mark()``.
  var hasMovedSinceMark: Bool {
    state.withLock { $0.handled != $0.mark }
  }

  /// Returns when no message has come for `interval` and a round trip to the broker. In a busy group new ones may come
  /// without end, so it gives up at some time.
  func awaitQuiet(_ session: Session, _ interval: Duration) async throws {
    // The session has no such subscription. The broker answers all the same, after everything that it sent before.
    let other = try TopicFilter(Topics.waiting)
    for _ in 0..<100 {
      mark()
      moves()
      if interval > .zero { try await Task.sleep(for: interval) }
      try await session.unsubscribe(other)
      try check()
      guard hasMovedSinceMark else { return }
    }
  }

  /// The error that ended the drain.
  var failure: (any Error)? { state.withLock { $0.failure } }

  /// Throws the error that ended the drain, if one did.
  func check() throws {
    if let failure { throw failure }
  }
}
