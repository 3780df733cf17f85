internal import Logging

/// How a session connects, and what it does when a connection is lost.
extension SessionLoop {
  func connect() {
    refusal = nil
    willRetention.hasAsked = false
    if let witness, witness.seesAnother() {
      return fail(
        .clientIDInUse(
          "the broker \(options.broker) closes the connections of client id '\(options.clientID)' and keeps others: "
            + "another client uses this id; give each client its own"))
    }
    if trial?.isConnected == true {
      return fail(
        .unsupported(
          "the broker \(options.broker) does not answer on MQTT 5, but speaks 3.1.1: use --protocol-version 4"))
    }
    do {
      state = .connecting
      try client.connect()
      willRetention.hasAsked = true
      // With TLS the library checks in read() whether the handshake is done, and writes nothing before.
      if options.tls != nil { step(client.read()) }
      if isOpen { step(client.write()) }
    } catch {
      connectionEnded(error)
    }
  }

  func accepted(_ sessionPresent: Bool, _ limits: SessionLimits) {
    state = .connected(since: clock.now)
    giveUpAt = nil
    trial = nil
    hasAcknowledged = false
    pending.listensAgain()
    lastDelivery = clock.now
    mailbox.connectionBegan()
    witness?.connectionBegan()
    self.limits = limits
    willRetention.accepted()
    if willRetention.isDemoted { self.limits.isRetainAvailable = false }
    learn(tooLarge: nil)
    // A client with a will has more retained messages.
    if !self.limits.isRetainAvailable, options.will != nil { keepNothingRetained() }
    guard limits.maximumQoS != .atMostOnce else {
      return fail(MQTTError(refusing: options, ReasonCode(rawValue: 0x9B)))
    }
    logger.debug("connected", metadata: ["client": "\(options.clientID)", "session": "\(sessionPresent)"])
    if let lostAt {
      logger.info(
        "connected again after \((clock.now - lostAt).formattedSeconds)", metadata: ["client": "\(options.clientID)"])
    }
    lostAt = nil
    // The library would repeat publications queued for a broker with a higher limit: renew the client to drop them.
    if let limit = self.limits.maximumPacketSize, pending.refusePublications(over: limit) {
      (needsNewClient, triesAtOnce) = (true, true)
      return connectionEnded(
        .unreachable("a queued message is too large for this broker, which accepted larger ones before"))
    }
    opening.forEach { $0.resume(returning: .success(())) }
    opening = []
    events.yield(.connected(sessionPresent ? .resumed : .new))
    // The broker may have forgotten these subscriptions, or not known them when the last connection was lost.
    if !pending.subscriptions.isEmpty { subscribe(pending.subscriptions, nil) }
    for command in pending.takeDeferred() { command(self) }
  }

  func connectionEnded(_ cause: MQTTError) {
    let error = refusal ?? explained(cause)
    let isAnswered = refusal != nil
    refusal = nil
    forgetDeliveries()
    if case .connected(let since) = state {
      let life = clock.now - since
      if life >= .seconds(5) { backoff.reset() }
      if !options.isWitness, !triesAtOnce, life < .seconds(30), pending.unansweredShare == nil {
        if witness == nil { witness = try? Witness(options) }
      } else {
        witness = nil
      }
      giveUpAt = giveUpAfter.map { clock.now + $0 }
    }
    pending.connectionEnded()
    if !closing.isEmpty { return close(with: .closed) }
    guard error.isTransient else { return fail(error) }
    if case .connecting = state {
      if willRetention.refused(&options) { needsNewClient = true }
      if !isAnswered { tryOlderVersion() }
    }
    if needsNewClient || !client.isUsable {
      do { try renewClient() } catch { return fail(error) }
    }
    if let giveUpAt, clock.now >= giveUpAt { return fail(error) }
    // The end of a connection that is renewed at once is no loss.
    if lostAt == nil, !triesAtOnce { lostAt = clock.now }
    var delay = triesAtOnce ? .zero : backoff.next()
    if let giveUpAt { delay = min(delay, giveUpAt - clock.now) }
    logger.log(
      level: triesAtOnce ? .debug : .warning, "\(error); next try in \(delay.formattedSeconds)",
      metadata: ["client": "\(options.clientID)"])
    triesAtOnce = false
    state = .waiting(until: clock.now + delay)
    events.yield(.connectionLost(error))
  }

  /// MQTT 3.1.1 has no reason for the end of a connection, and some brokers end it where they have no shared subscriptions.
  private func explained(_ cause: MQTTError) -> MQTTError {
    guard case .connected = state, case .unreachable(let text) = cause, let filter = pending.unansweredShare else {
      return cause
    }
    return .unreachable(
      "\(text) instead of an answer to SUBSCRIBE to '\(filter.text)'; if it does so each time, it has no shared "
        + "subscriptions, or this account may not use them: give each worker a topic of its own, without $share")
  }

  /// A broker that speaks only MQTT 3.1.1 may close a connection of MQTT 5 without a word, or never answer. After two
  /// such ends in succession, tries 3.1.1 beside the next connection.
  private func tryOlderVersion() {
    guard options.version == .v5, !options.isWitness, trial == nil, willRetention.silentRefusals > 1 else { return }
    trial = try? Witness(options, .v311)
  }

  /// Forgets the lost connection's deliveries, which arrive again on the next.
  private func forgetDeliveries() {
    mailbox.connectionEnded()
    undecided = 0
    withheld = []
    acknowledging.forEach { $0.resume() }
    acknowledging = []
  }

  func fail(_ error: MQTTError) {
    events.yield(.failed(error))
    close(with: error)
  }

  func close(with error: MQTTError) {
    state = .closed
    lingering?.wait(atMost: .milliseconds(300))
    lingering = nil
    forgetDeliveries()
    opening.forEach { $0.resume(returning: .failure(error)) }
    opening = []
    // Deferred requests fail by themselves: they find the session closed.
    for command in pending.takeDeferred() { command(self) }
    pending.fail(error)
    events.finish()
    mailbox.close(with: error)
    closing.forEach { $0() }
    closing = []
  }

  /// The library repeats its publications on each connection and cannot drop them: only a new client has none.
  private func renewClient() throws(MQTTError) {
    needsNewClient = false
    pending.repeatPublications()
    client = try Mosquitto(options)
  }
}

/// The delay before the next connection attempt: 1 s, doubled each time up to 30 s, varied at random by a quarter so
/// that a fleet does not reconnect all at once.
struct Backoff {
  private var tries = 0

  mutating func next() -> Duration {
    let seconds = min(30, Double(1 << min(tries, 5)))
    tries += 1
    return .seconds(min(30, max(1, seconds * Double.random(in: 0.75...1.25))))
  }

  mutating func reset() {
    tries = 0
  }
}

extension Duration {
  /// Seconds with one decimal, as in `1.5 s`.
  var formattedSeconds: String {
    let tenths = Int((self / .milliseconds(100)).rounded())
    return "\(tenths / 10).\(tenths % 10) s"
  }
}
