internal import Logging
private import Synchronization

/// The requests of a session's callers.
extension SessionLoop {
  func open(_ answer: Answer<Void>) {
    switch state {
    case .connected: answer.resume(returning: .success(()))
    case .closed: answer.resume(returning: .failure(.closed))
    case .connecting, .waiting: opening.append(answer)
    }
  }

  func publish(_ message: Message, _ answer: Answer<ReasonCode>?) {
    if answer?.isGiven == true { return }
    whenConnected({ $0.publish(message, answer) }, orFail: answer) { () throws(MQTTError) in
      let size = message.packetSize(options.version)
      do throws(MQTTError) {
        if let limit = limits.maximumPacketSize, size > limit { throw .packetTooLarge(limit: limit) }
        // With MQTT 5 the library clears the flag itself; with 3.1.1 it cannot know.
        let sent = limits.isRetainAvailable ? message : message.unretained
        pending.add(message, ofSize: size, answer, try client.publish(sent))
      } catch {
        if answer == nil, case .packetTooLarge(let limit) = error {
          logger.warning(
            "a message to '\(message.topic)' is dropped: its packet has \(size) bytes, and the broker accepts at most \(limit)"
          )
        }
        throw error
      }
    }
  }

  func subscribe(_ filters: [TopicFilter], _ answer: Answer<[MQTTError]>?) {
    if answer?.isGiven == true { return }
    let again: Command = { $0.subscribe(filters, answer) }
    whenConnected(again, orFail: answer) { () throws(MQTTError) in
      // Some brokers end the connection of a client that tries it all the same.
      if let shared = filters.first(where: { $0.shareName != nil }), !limits.hasSharedSubscriptions {
        let code = ReasonCode.sharedSubscriptionsNotSupported
        throw .unsupported("subscribing to '\(shared.text)': the broker \(options.broker) says \(code)\(code.advice)")
      }
      let name = "SUBSCRIBE to '\(filters.map(\.text).joined(separator: "', '"))'"
      pending.add(
        .init(repeating: again, answer: answer, filters: filters, name: name), try client.subscribe(filters))
    }
  }

  func unsubscribe(_ filter: TopicFilter, _ answer: Answer<[MQTTError]>?) {
    pending.forget(filter)
    let again: Command = { $0.unsubscribe(filter, answer) }
    whenConnected(again, orFail: answer) { () throws(MQTTError) in
      let name = "UNSUBSCRIBE from '\(filter.text)'"
      pending.add(
        .init(repeating: again, answer: answer, unsubscribed: filter, name: name), try client.unsubscribe(filter))
    }
  }

  /// Sends PUBACKs only when all deliveries of one read are acknowledged, because the library writes its whole queue.
  /// Only the last caller waits for that: a receiver that decides about one after the other must reach the last.
  func acknowledged(_ delivery: Delivery, _ done: CheckedContinuation<Void, Never>?) {
    // An acknowledgement for a lost connection does not concern the current one's deliveries.
    guard delivery.connection == mailbox.connection, isOpen else {
      done?.resume()
      return
    }
    undecided = max(0, undecided - 1)
    guard undecided == 0 else {
      if delivery.message.qos == .atLeastOnce { withheld.append(delivery.packetID) }
      done?.resume()
      return
    }
    withheld = []
    hasAcknowledged = true
    pending.listensAgain()
    if let done { acknowledging.append(done) }
    flush()
  }

  func flush() {
    guard undecided == 0 else { return }
    if isOpen, client.wantsToWrite { step(client.write()) }
    // The library closes the connection after DISCONNECT; from 2.1 on it leaves that to the broker, which may hang.
    if isOpen, !closing.isEmpty, client.hasShutDown { return close(with: .closed) }
    guard !isOpen || !client.wantsToWrite else { return }
    acknowledging.forEach { $0.resume() }
    acknowledging = []
    answerUnsubscribed()
  }

  /// Sends queued packets and DISCONNECT; an undecided delivery forbids that, since its PUBACK would be sent as well.
  func disconnect(sessionExpiry: UInt32?, _ done: @escaping @Sendable () -> Void) {
    closing.append(done)
    guard case .connected = state, undecided == 0 else { return drop() }
    // Wait for the broker to read DISCONNECT only where something depends on it.
    if options.will != nil || sessionExpiry != nil || mayLeaveUnread { lingering = LingeringClose(client.socket) }
    do {
      try client.queueDisconnect(sessionExpiry: sessionExpiry)
      flush()
    } catch {
      drop()
    }
  }

  func drop() {
    // An acknowledged message must not be delivered again because another of the same read is undecided.
    if isOpen, !withheld.isEmpty, client.acknowledgeOnly(withheld) { hasAcknowledged = true }
    if isOpen, mayLeaveUnread { lingering = LingeringClose(client.socket) }
    close(with: .closed)
  }

  /// A 3.1.1 broker sends its whole queue, as does one that ignores Receive Maximum: closing a connection with unread
  /// data resets it, and a PUBACK in flight may be lost (RFC 1122, section 4.2.2.13).
  private var mayLeaveUnread: Bool { hasAcknowledged && (options.version == .v311 || undecided > 0) }

  private func whenConnected<T>(
    _ again: @escaping Command, orFail answer: Answer<T>?, _ body: () throws(MQTTError) -> Void
  ) {
    switch state {
    case .closed: answer?.resume(returning: .failure(.closed))
    case .waiting, .connecting: pending.defer(again)
    case .connected:
      do {
        try body()
      } catch MQTTError.unreachable(let text) {
        pending.defer(again)
        if !client.isUsable { lost(.unreachable(text)) }
      } catch {
        answer?.resume(returning: .failure(error))
      }
    }
  }
}

extension Message {
  /// The same message for current subscribers only.
  fileprivate var unretained: Message {
    var message = self
    message.retention = .notRetained
    return message
  }
}

/// The answer to one request. The first one counts, from the session's thread or from the cancellation of the caller's task.
final class Answer<T: Sendable>: Sendable {
  private enum State {
    case unasked
    case asked(CheckedContinuation<Result<T, MQTTError>, Never>)
    case given(Result<T, MQTTError>)
  }

  private let state = Mutex(State.unasked)

  /// Waits for the answer to what `question` asks.
  func wait(for question: () -> Void) async throws(MQTTError) -> T {
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let early = state.withLock { state -> Result<T, MQTTError>? in
          if case .given(let result) = state { return result }
          state = .asked(continuation)
          return nil
        }
        if let early { continuation.resume(returning: early) } else { question() }
      }
    } onCancel: {
      resume(returning: .failure(.closed))
    }
    return try result.get()
  }

  /// Whether the caller waits no longer.
  var isGiven: Bool { state.withLock { if case .given = $0 { true } else { false } } }

  func resume(returning result: Result<T, MQTTError>) {
    let continuation = state.withLock { state -> CheckedContinuation<Result<T, MQTTError>, Never>? in
      switch state {
      case .given: return nil
      case .unasked:
        state = .given(result)
        return nil
      case .asked(let continuation):
        state = .given(result)
        return continuation
      }
    }
    continuation?.resume(returning: result)
  }
}
