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
  static let limit: Duration = .seconds(20)

  let session: Session
  private let received = Mutex<[Delivery]>([])

  init(_ options: SessionOptions, _ acknowledgement: Acknowledgement = .prompt, logger: Logger) throws(MQTTError) {
    session = try Session(options, giveUpAfter: .seconds(10), logger: logger)
    session.close(after: Self.limit)
    Task { [self] in
      for await case .delivery(let delivery) in session.events {
        received.withLock { $0.append(delivery) }
        if acknowledgement == .prompt { await delivery.acknowledge() }
      }
    }
  }

  /// The messages so far.
  var deliveries: [Delivery] { received.withLock { $0 } }

  /// Waits for `count` messages, but no longer than `limit`, and returns the messages so far.
  func deliveries(_ count: Int, within limit: Duration) async throws -> [Delivery] {
    try await Probe.wait(limit) { deliveries.count >= count }
    return deliveries
  }

  /// Waits until `condition` holds, but no longer than `limit`.
  static func wait(_ limit: Duration, until condition: () -> Bool) async throws {
    let deadline = ContinuousClock.now + limit
    while !condition(), ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(5)) }
  }
}

extension Session {
  /// Closes the session after `limit`, if it still exists; pending requests throw ``MQTTError/closed``.
  func close(after limit: Duration) {
    Task { [weak self] in
      try await Task.sleep(for: limit)
      self?.drop()
    }
  }
}
