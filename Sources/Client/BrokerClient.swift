package import Logging
package import MQTT
private import Synchronization

/// The session of one who sends jobs or looks after workers: what it listens to comes as streams.
///
/// It lasts as long as the closure of ``withClient(_:giveUpAfter:logger:_:)``, connects again by itself, and has its
/// subscriptions renewed then. What is published while a session that is not kept by the broker (Session Expiry 0) has no
/// connection does not reach it, retained messages excepted.
package final class BrokerClient: Sendable {
  /// Each time that the session is connected again; one that nobody has seen yet stands for all.
  package let reconnections: AsyncStream<Void>
  private let reconnection: AsyncStream<Void>.Continuation
  private let session: Session
  private let streams = Mutex<Streams>(Streams())

  private typealias Continuation = AsyncThrowingStream<Message, any Error>.Continuation

  private struct Streams {
    var open: [(filters: [TopicFilter], continuation: Continuation)] = []
    var end: MQTTError?
  }

  /// Opens a session, hands it to `body`, and ends it with DISCONNECT; the broker keeps nothing of it. Throws what `body`
  /// throws, and ``MQTTError`` when there is no connection within `giveUpAfter`, or none can be had.
  package static func withClient<T: Sendable>(
    _ options: SessionOptions, giveUpAfter: Duration? = nil, logger: Logger, _ body: (BrokerClient) async throws -> T
  ) async throws -> T {
    let session = try Session(options, giveUpAfter: giveUpAfter, logger: logger)
    let client = BrokerClient(session)
    do {
      try await session.connected()
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
          await delivery.acknowledge()
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

  /// The messages on topics that one of `filters` matches, in order, from now on; those that the broker retains come first.
  ///
  /// The broker has confirmed the subscriptions when this returns; throws ``MQTTError/refused(_:)`` when it does not.
  /// Iterating throws what ended the session. A message that filters of several streams match comes on each of them.
  package func messages(on filters: TopicFilter...) async throws(MQTTError) -> AsyncThrowingStream<Message, any Error> {
    let (stream, continuation) = AsyncThrowingStream.makeStream(of: Message.self, throwing: (any Error).self)
    let end = streams.withLock { streams in
      if streams.end == nil { streams.open.append((filters, continuation)) }
      return streams.end
    }
    if let end { throw end }
    if let refusal = try await session.subscribe(filters).first { throw refusal }
    return stream
  }

  /// Publishes with the message's QoS, and returns the PUBACK's reason code: ``ReasonCode/noMatchingSubscribers`` when
  /// nobody listens, which MQTT 3.1.1 does not tell. Waits for a connection if there is none.
  package func publish(_ message: Message) async throws(MQTTError) -> ReasonCode {
    try await session.publish(message)
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
