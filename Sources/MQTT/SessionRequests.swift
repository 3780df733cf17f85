internal import Logging

/// What callers ask for.
extension SessionLoop {
  func open(_ answer: Answer<Void>) {
    switch state {
    case .connected: answer.resume(returning: .success(()))
    case .closed: answer.resume(returning: .failure(.closed))
    case .connecting, .waiting: opening.append(answer)
    }
  }

  func publish(_ message: Message, _ answer: Answer<ReasonCode>?) {
    whenConnected({ $0.publish(message, answer) }, orFail: answer) { () throws(MQTTError) in
      let size = message.packetSize(options.version)
      do throws(MQTTError) {
        if let limit = limits.maximumPacketSize, size > limit { throw .packetTooLarge(limit: limit) }
        // With MQTT 5 the library does that, with 3.1.1 it cannot know.
        let sent = limits.isRetainAvailable ? message : message.unretained
        pending.add(message, ofSize: size, answer, try client.publish(sent))
      } catch {
        if answer == nil, case .packetTooLarge(let limit) = error {
          logger.warning(
            "a message to '\(message.topic)' is dropped: it has \(size) bytes, and the broker takes \(limit) at most")
        }
        throw error
      }
    }
  }

  func subscribe(_ filters: [TopicFilter], _ answer: Answer<[MQTTError]>?) {
    let again: Command = { $0.subscribe(filters, answer) }
    whenConnected(again, orFail: answer) { () throws(MQTTError) in
      let name = "SUBSCRIBE to '\(filters.map(\.text).joined(separator: "', '"))'"
      pending.add(
        .init(repeating: again, answer: answer, filters: filters, name: name), try client.subscribe(filters))
    }
  }

  func unsubscribe(_ filter: TopicFilter, _ answer: Answer<[MQTTError]>) {
    pending.forget(filter)
    let again: Command = { $0.unsubscribe(filter, answer) }
    whenConnected(again, orFail: answer) { () throws(MQTTError) in
      let name = "UNSUBSCRIBE from '\(filter.text)'"
      pending.add(.init(repeating: again, answer: answer, name: name), try client.unsubscribe(filter))
    }
  }

  /// Of several deliveries that came in one read no PUBACK leaves before all are acknowledged: the library writes all
  /// that is queued. Only the last of them waits for that: who decides about one after the other must come to it.
  func acknowledged(_ delivery: Delivery, _ done: CheckedContinuation<Void, Never>) {
    // The acknowledgement of a lost connection says nothing about what the present one brought.
    guard delivery.connection == mailbox.connection, isOpen else { return done.resume() }
    undecided = max(0, undecided - 1)
    guard undecided == 0 else {
      if delivery.message.qos == .atLeastOnce { withheld.append(delivery.packetID) }
      return done.resume()
    }
    withheld = []
    hasAcknowledged = true
    pending.listensAgain()
    acknowledging.append(done)
    flush()
  }

  func flush() {
    guard undecided == 0 else { return }
    if isOpen, client.wantsToWrite { step(client.write()) }
    // The library closes the connection behind DISCONNECT; from 2.1 on it leaves that to the broker, which may hang.
    if isOpen, !closing.isEmpty, client.hasShutDown { return close(with: .closed) }
    guard !isOpen || !client.wantsToWrite else { return }
    acknowledging.forEach { $0.resume() }
    acknowledging = []
    answerUnsubscribed()
  }

  /// Sends DISCONNECT and what is queued before it; an undecided delivery forbids that, its PUBACK would go along.
  func disconnect(sessionExpiry: UInt32?, _ done: @escaping @Sendable () -> Void) {
    closing.append(done)
    guard case .connected = state, undecided == 0 else { return drop() }
    // Where nothing hangs on DISCONNECT, nobody waits for the broker to have read it.
    if options.will != nil || sessionExpiry != nil || mayLeaveUnread { lingering = LingeringClose(client.socket) }
    do {
      try client.queueDisconnect(sessionExpiry: sessionExpiry)
      flush()
    } catch {
      drop()
    }
  }

  func drop() {
    // What is safe must not come again because something else that came with it is not decided.
    if isOpen, !withheld.isEmpty, client.acknowledgeOnly(withheld) { hasAcknowledged = true }
    if isOpen, mayLeaveUnread { lingering = LingeringClose(client.socket) }
    close(with: .closed)
  }

  /// A 3.1.1 broker sends all that is queued, as does one that takes no notice of Receive Maximum: a connection that is closed
  /// over what was not read is reset, and a PUBACK on its way may be lost with it (RFC 1122, section 4.2.2.13).
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
  /// The same for those who listen now.
  fileprivate var unretained: Message {
    var message = self
    message.retention = .notRetained
    return message
  }
}
