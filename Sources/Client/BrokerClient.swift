package import Logging
package import MQTT
private import Synchronization

/// The session of a client that sends jobs or watches workers; messages arrive as streams.
///
/// It lasts as long as the closure of ``withClient(_:giveUpAfter:persisting:logger:_:)``, reconnects by itself, and then renews
/// its subscriptions. With Session Expiry Interval 0 it misses messages that are published while it has no connection,
/// except retained ones.
package final class BrokerClient: Sendable {
  /// An element for each reconnection; several unread ones become one.
  let reconnections: AsyncStream<Void>
  private let reconnection: AsyncStream<Void>.Continuation
  private let session: Session
  private let streams = Mutex<Streams>(Streams())

  private typealias Continuation = AsyncThrowingStream<Message, any Error>.Continuation

  private struct Streams {
    var open: [(filters: [TopicFilter], continuation: Continuation)] = []
    var end: MQTTError?
  }

  /// Opens a session for `body`, and ends it with DISCONNECT; the broker keeps no state of it. Throws the errors of
  /// `body`, and ``MQTTError`` if there is no connection or no answer within `giveUpAfter`, or none is possible. With
  /// `persisting` that limit is for the first connection only.
  package static func withClient<T: Sendable>(
    _ options: SessionOptions, giveUpAfter: Duration? = nil, persisting: Bool = false, logger: Logger,
    _ body: (BrokerClient) async throws -> T
  ) async throws -> T {
    var options = options
    options.readsAhead = 64
    options.failsWithoutAnswer = true
    let session = try Session(options, giveUpAfter: giveUpAfter, logger: logger)
    let client = BrokerClient(session)
    do {
      try await session.connected()
      if persisting { session.persist() }
      let result = try await body(client)
      await session.disconnect(sessionExpiry: 0)
      return result
    } catch {
      await session.disconnect(sessionExpiry: 0)
      throw error
    }
  }

  private init(_ session: Session) {
    self.session = session
    (reconnections, reconnection) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    Task { [self] in
      var end = MQTTError.closed
      var wasConnected = false
      for await event in session.events {
        switch event {
        case .delivery(let delivery):
          hand(out: delivery.message)
          delivery.acknowledgeSoon()
        case .failed(let error): end = error
        case .connected:
          if wasConnected { reconnection.yield() }
          wasConnected = true
        case .connectionLost: break
        }
      }
      reconnection.finish()
      finish(end)
    }
  }

  /// The messages that match one of `filters`, in order, from now on; retained messages come first.
  ///
  /// When this returns, the broker has confirmed the subscriptions; throws ``MQTTError/refused(_:)`` if it refuses.
  /// Iteration throws the error that ended the session. Each stream with a matching filter gets the message.
  func messages(on filters: TopicFilter...) async throws(MQTTError) -> AsyncThrowingStream<Message, any Error> {
    let (stream, continuation) = AsyncThrowingStream.makeStream(of: Message.self, throwing: (any Error).self)
    let end = streams.withLock { streams in
      if streams.end == nil { streams.open.append((filters, continuation)) }
      return streams.end
    }
    if let end { throw end }
    if let refusal = try await session.subscribe(filters).first { throw refusal }
    return stream
  }

  /// Publishes with the message's QoS, and returns the PUBACK's reason code: ``ReasonCode/noMatchingSubscribers`` if
  /// there is no subscriber, which MQTT 3.1.1 does not report. Waits for a connection if there is none. Throws
  /// ``MQTTError/refused(_:)`` if the account lacks the right.
  @discardableResult
  package func publish(_ message: Message) async throws(MQTTError) -> ReasonCode {
    let code = try await session.publish(message)
    guard code != .notAuthorized else {
      throw .refused("publishing to '\(message.topic)': the broker answers \(code); check the account's rights (ACL)")
    }
    return code
  }

  private func hand(out message: Message) {
    let open = streams.withLock { $0.open }
    for (filters, continuation) in open where filters.contains(where: { $0.matches(message.topic) }) {
      continuation.yield(message)
    }
  }

  private func finish(_ end: MQTTError) {
    let open = streams.withLock { streams in
      streams.end = end
      defer { streams.open = [] }
      return streams.open
    }
    for (_, continuation) in open { continuation.finish(throwing: end == .closed ? nil : end) }
  }
}
