import Logging
import MQTT
import Synchronization

/// A session whose messages are looked at one by one, and which answers for them only if it is to.
final class Probe: Sendable {
  /// What becomes of a message's acknowledgement.
  enum Acknowledgement: Sendable {
    case prompt, withheld
  }

  /// How long a session may last in all: some brokers leave requests that they do not know without an answer.
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

  /// Whether the broker knew the client id's session; `nil` before there is a connection.
  package var state: SessionState? { seen.withLock { $0.state } }

  /// What has come so far.
  var deliveries: [Delivery] { seen.withLock { $0.deliveries } }

  /// Waits for `count` messages, at most so long, and returns what came.
  func deliveries(_ count: Int, within limit: Duration) async throws -> [Delivery] {
    let deadline = ContinuousClock.now + limit
    while deliveries.count < count, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(5)) }
    return deliveries
  }
}

extension Session {
  /// Closes it when its time is up, if it is there then; what waits for an answer throws ``MQTTError/closed``.
  package func close(after limit: Duration) {
    Task { [weak self] in
      try await Task.sleep(for: limit)
      self?.drop()
    }
  }
}
