private import Dispatch
private import Glibc
public import Logging

/// A session with an MQTT broker over libmosquitto, on a thread of its own, that reconnects automatically.
///
/// Messages arrive as ``Delivery`` values in ``events``; their PUBACK is withheld until the receiver acknowledges them.
/// Requests made without a connection wait for the next one. A refusal that a retry cannot change ends the session.
/// A caller whose task is cancelled waits no longer, and gets ``MQTTError/closed``; a request that has not been sent by then
/// never is.
/// Only one reader may iterate ``events``.
public final class Session: Sendable {
  /// The session's events, in order; ends when the session is closed.
  public let events: AsyncStream<SessionEvent>
  /// The client id, as the broker knows it.
  public let clientID: String
  /// The version of MQTT that it speaks.
  public let version: ProtocolVersion
  private let mailbox: Mailbox

  /// Starts the thread and the first connection attempt; ``connected()`` waits for it.
  ///
  /// `giveUpAfter` limits how long the session may be without a connection before it fails with
  /// ``MQTTError/unreachable(_:)``; without it, the session retries for ever, after 1 to 30 s each time.
  public init(_ options: SessionOptions, giveUpAfter: Duration? = nil, logger: Logger) throws(MQTTError) {
    let (events, continuation) = AsyncStream.makeStream(of: SessionEvent.self)
    let mailbox = try Mailbox(SessionLimits(options))
    self.events = events
    self.clientID = options.clientID
    self.version = options.version
    self.mailbox = mailbox
    // A queue with one long block is a thread.
    DispatchQueue(label: "mqtt \(options.clientID)").async {
      do throws(MQTTError) {
        try SessionLoop(options, mailbox, continuation, giveUpAfter: giveUpAfter, logger: logger).run()
      } catch {
        continuation.yield(.failed(error))
        continuation.finish()
        mailbox.close(with: error)
      }
    }
  }

  /// Opens a session, passes it to `body`, and ends it with DISCONNECT, or without DISCONNECT when `body` throws.
  public static func withSession<T: Sendable>(
    _ options: SessionOptions, giveUpAfter: Duration? = nil, logger: Logger,
    _ body: (Session) async throws -> T
  ) async throws -> T {
    let session = try Session(options, giveUpAfter: giveUpAfter, logger: logger)
    do {
      try await session.connected()
      let result = try await body(session)
      await session.disconnect()
      return result
    } catch {
      session.drop()
      throw error
    }
  }

  /// Waits for a connection; throws the error that ended the session if there will be none.
  public func connected() async throws(MQTTError) {
    try await ask { (loop, answer: Answer<Void>) in loop.open(answer) }
  }

  /// From now on retries for ever when the connection is lost.
  public func persist() {
    mailbox.post { loop in
      loop?.giveUpAfter = nil
      loop?.giveUpAt = nil
    }
  }

  /// The broker's limits on the current connection or the last one; before the first, the requested values.
  public var limits: SessionLimits { mailbox.limits }

  var standingConnection: Int? { mailbox.standingConnection }

  /// Publishes, and with QoS 1 returns the PUBACK's reason code (always 0 on 3.1.1). Waits for a connection if there is
  /// none; the library sends the message again if the connection ends before the PUBACK. Throws
  /// ``MQTTError/packetTooLarge(limit:)`` for a message that is too large for the broker; the session continues.
  public func publish(_ message: Message) async throws(MQTTError) -> ReasonCode {
    try await ask { (loop, answer: Answer<ReasonCode>) in loop.publish(message, answer) }
  }

  /// Publishes without waiting, in order with other publications. Failures are only logged.
  public func send(_ message: Message) {
    mailbox.post { $0?.publish(message, nil) }
  }

  /// Subscribes with QoS 1 and waits for the SUBACK; throws ``MQTTError/refused(_:)`` with the topic if the broker
  /// refuses.
  public func subscribe(_ filter: TopicFilter) async throws(MQTTError) {
    if let refusal = try await subscribe([filter]).first { throw refusal }
  }

  /// Subscribes to several filters with one SUBSCRIBE, and waits for the SUBACK; returns an ``MQTTError/refused(_:)``
  /// for each refused filter (MQTT 5, section 3.9.3). The others are subscribed.
  public func subscribe(_ filters: [TopicFilter]) async throws(MQTTError) -> [MQTTError] {
    try await ask { (loop, answer: Answer<[MQTTError]>) in loop.subscribe(filters, answer) }
  }

  /// Unsubscribes and waits for the UNSUBACK; messages that the broker queued before it still arrive.
  public func unsubscribe(_ filter: TopicFilter) async throws(MQTTError) {
    _ = try await ask { (loop, answer: Answer<[MQTTError]>) in loop.unsubscribe(filter, answer) }
  }

  /// Unsubscribes without waiting.
  public func leave(_ filter: TopicFilter) {
    mailbox.post { $0?.unsubscribe(filter, nil) }
  }

  /// Ends the session with DISCONNECT, after queued packets; with `sessionExpiry` (MQTT 5, seconds) the broker keeps
  /// its state that long instead of the time agreed at connect. With an undecided delivery it is ``drop()``.
  ///
  /// Returns after 700 ms at the latest: the session's thread may be waiting for a name server or a peer that is gone.
  public func disconnect(sessionExpiry: UInt32? = nil) async {
    let (ends, end) = AsyncStream.makeStream(of: Void.self)
    mailbox.post { loop in
      if let loop { loop.disconnect(sessionExpiry: sessionExpiry) { end.yield() } } else { end.yield() }
    }
    let limit = Task {
      try await Task.sleep(for: .milliseconds(700))
      end.yield()
    }
    for await _ in ends { break }
    limit.cancel()
  }

  /// Ends the connection without sending anything more: undecided deliveries stay with the broker, and the broker
  /// publishes the will.
  public func drop() {
    mailbox.post { $0?.drop() }
  }

  private func ask<T>(_ question: @escaping @Sendable (SessionLoop, Answer<T>) -> Void) async throws(MQTTError) -> T {
    let answer = Answer<T>()
    return try await answer.wait { [mailbox] in
      mailbox.post { loop in
        if let loop { question(loop, answer) } else { answer.resume(returning: .failure(mailbox.reason)) }
      }
    }
  }
}

/// An event of a session.
public enum SessionEvent: Sendable {
  /// The broker accepted the connection.
  case connected(SessionState)
  /// A message arrived; acknowledge it soon: the session reads and writes nothing until then.
  case delivery(Delivery)
  /// The connection was lost or failed; the session retries automatically.
  case connectionLost(MQTTError)
  /// The session gave up; nothing follows.
  case failed(MQTTError)
}

/// The broker's state for the client id at connect.
public enum SessionState: Sendable {
  /// The broker has subscriptions and queued messages of an earlier connection.
  case resumed
  /// The broker had no session: subscribe.
  case new
}
