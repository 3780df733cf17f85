import MQTT
import Synchronization

/// Hands over everything that arrives on a session.
final class Drain: Sendable {
  private struct State {
    var handled = 0
    var mark = 0
    var failure: (any Error)?
  }

  private let state = Mutex(State())
  private let epoch: SessionEpoch

  /// `epoch` is the one that the session's owner knew: what it was sent before comes again.
  init(_ session: Session, _ epoch: SessionEpoch, _ handover: Handover) {
    self.epoch = epoch
    Task { [self] in
      for await event in session.events {
        switch event {
        case .delivery(let delivery): await handle(delivery, session, handover)
        // The owner came back: the session is its again, and must not be taken a second time.
        case .connectionLost(let error), .failed(let error): stop(session, error)
        case .connected: break
        }
      }
    }
  }

  private func handle(_ delivery: Delivery, _ session: Session, _ handover: Handover) async {
    state.withLock { $0.handled += 1 }
    do {
      // What lies in the socket of a connection that is over is the owner's again.
      let outcome = try await handover.settle(delivery, epoch) {
        delivery.isCurrent ? .free : .none
      }
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

  /// Remembers how much has arrived.
  package func mark() {
    state.withLock { $0.mark = $0.handled }
  }

  /// Whether something arrived since.
  var hasMovedSinceMark: Bool {
    state.withLock { $0.handled != $0.mark }
  }

  /// Throws what ended the drain.
  package func check() throws {
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }
}
