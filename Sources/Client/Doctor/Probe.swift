import Logging
import MQTT
import Synchronization

/// A session that collects its messages, and acknowledges them only on demand.
final class Probe: Sendable {
  /// The treatment of acknowledgements.
  enum Acknowledgement: Sendable {
    case prompt, withheld
  }

  /// The longest life of a session: some brokers never answer requests that they do not know.
  package static let limit: Duration = .seconds(20)

  package let session: Session
  private let seen = Mutex(Seen())

  private struct Seen {
    var deliveries: [Delivery] = []
    var state: SessionState?
  }

  init(_ options: SessionOptions, _ acknowledgement: Acknowledgement = .prompt, logger: Logger) throws(MQTTError) {
    session = try Session(options, giveUpAfter: .seconds(10), logger: logger)
    session.close(after: Self.limit)
    Task { [self] in
      for await event in session.events {
        switch event {
        case .connected(let state): seen.withLock { $0.state = state }
        case .delivery(let delivery):
          seen.withLock { $0.deliveries.append(delivery) }
          if acknowledgement == .prompt { await delivery.acknowledge() }
        case .connectionLost, .failed: break
        }
      }
    }
  }

  /// Whether the broker had the session; `nil` before there is a connection.
  package var state: SessionState? { seen.withLock { $0.state } }

  /// The messages so far.
  var deliveries: [Delivery] { seen.withLock { $0.deliveries } }

  /// Waits for `count` messages, but no longer than `limit`, and returns the messages so far.
  func deliveries(_ count: Int, within limit: Duration) async throws -> [Delivery] {
    let deadline = ContinuousClock.now + limit
    while deliveries.count < count, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(5)) }
    return deliveries
  }
}

extension Session {
  /// Closes the session after `limit`, if it still exists; pending requests throw ``MQTTError/closed``.
  package func close(after limit: Duration) {
    Task { [weak self] in
      try await Task.sleep(for: limit)
      self?.drop()
    }
  }
}
