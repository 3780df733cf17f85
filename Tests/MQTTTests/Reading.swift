import MQTT
import TestSupport

/// Reads the events of a session, with a limit on each wait.
final class Reading: Sendable {
  private let events: Task<Void, Never>
  private let seen: Seen

  private actor Seen {
    var events: [SessionEvent] = []
    func append(_ event: SessionEvent) { events.append(event) }
    func take<T>(_ choose: (SessionEvent) -> T?) -> T? {
      for (index, event) in events.enumerated() {
        if let value = choose(event) {
          events.removeFirst(index + 1)
          return value
        }
      }
      return nil
    }
  }

  init(_ session: Session) {
    let seen = Seen()
    self.seen = seen
    events = Task {
      for await event in session.events { await seen.append(event) }
    }
  }

  deinit {
    events.cancel()
  }

  /// The next delivery; earlier events are skipped.
  func delivery() async throws -> Delivery {
    try await next("a delivery") { if case .delivery(let delivery) = $0 { delivery } else { nil } }
  }

  /// The next report of a connection.
  func connected() async throws -> SessionState {
    try await next("a connection") { if case .connected(let state) = $0 { state } else { nil } }
  }

  /// The next report of a lost connection.
  func connectionLost() async throws -> MQTTError {
    try await next("the loss of the connection") { if case .connectionLost(let error) = $0 { error } else { nil } }
  }

  /// Why the session gave up.
  func failure() async throws -> MQTTError {
    try await next("the session's failure") { if case .failed(let error) = $0 { error } else { nil } }
  }

  /// Why the session gave up, if it did.
  func failureSoFar() async -> MQTTError? {
    await seen.take { if case .failed(let error) = $0 { error } else { nil } }
  }

  private func next<T: Sendable>(
    _ what: String, _ choose: @escaping @Sendable (SessionEvent) -> T?
  ) async throws -> T {
    try await eventually(what) { await seen.take(choose) }
  }
}
