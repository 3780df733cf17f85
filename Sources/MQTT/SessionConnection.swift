internal import Logging

/// How a session comes to a connection, and what it does when it has lost it.
extension SessionLoop {
  func connect() {
    refusal = nil
    willRetention.hasAsked = false
    if let witness, witness.seesAnother() {
      return fail(
        .clientIDInUse(
          "the broker \(options.host):\(options.port) ends connections of client id '\(options.clientID)' and keeps others: "
            + "it gives them to another client with this id"))
    }
    do {
      state = .connecting
      try client.connect()
      willRetention.hasAsked = true
      // With TLS the library looks there whether the handshake is done, and writes nothing before.
      if options.tls != nil { step(client.read()) }
      if isOpen { step(client.write()) }
    } catch {
      connectionEnded(error)
    }
  }

  func accepted(_ sessionPresent: Bool, _ limits: SessionLimits) {
    state = .connected(since: clock.now)
    giveUpAt = nil
    hasAcknowledged = false
    pending.listensAgain()
    lastDelivery = clock.now
    mailbox.connectionBegan()
    witness?.connectionBegan()
    self.limits = limits
    willRetention.accepted()
    if willRetention.isDemoted { self.limits.isRetainAvailable = false }
    learn(tooLarge: nil)
    // Who has a will has more to retain.
    if !self.limits.isRetainAvailable, options.will != nil { keepNothingRetained() }
    guard limits.maximumQoS != .atMostOnce else {
      return fail(MQTTError(refusing: options, ReasonCode(rawValue: 0x9B)))
    }
    logger.debug("connected", metadata: ["client": "\(options.clientID)", "session": "\(sessionPresent)"])
    // The library sends again what it was given for a broker that took more: it must forget that.
    if let limit = self.limits.maximumPacketSize, pending.refusePublications(over: limit) {
      (needsNewClient, triesAtOnce) = (true, true)
      return connectionEnded(.unreachable("what was to be published is too large for the broker, which was exchanged"))
    }
    opening.forEach { $0.resume(returning: .success(())) }
    opening = []
    events.yield(.connected(sessionPresent ? .resumed : .new))
    // The broker knew nothing of these when the connection before this one was lost, or may have forgotten.
    if !pending.subscriptions.isEmpty { subscribe(pending.subscriptions, nil) }
    for command in pending.takeDeferred() { command(self) }
  }

  func connectionEnded(_ cause: MQTTError) {
    let error = refusal ?? cause
    refusal = nil
    forgetDeliveries()
    if case .connected(let since) = state {
      let life = clock.now - since
      if life >= .seconds(5) { backoff.reset() }
      if !options.isWitness, !triesAtOnce, life < .seconds(30) {
        if witness == nil { witness = try? Witness(options) }
      } else {
        witness = nil
      }
      giveUpAt = giveUpAfter.map { clock.now + $0 }
    }
    pending.connectionEnded()
    if !closing.isEmpty { return close(with: .closed) }
    guard error.isTransient else { return fail(error) }
    if case .connecting = state, willRetention.refused(&options) { needsNewClient = true }
    if needsNewClient || !client.isUsable {
      do { try renewClient() } catch { return fail(error) }
    }
    if let giveUpAt, clock.now >= giveUpAt { return fail(error) }
    var delay = triesAtOnce ? .zero : backoff.next()
    if let giveUpAt { delay = min(delay, giveUpAt - clock.now) }
    logger.log(
      level: triesAtOnce ? .debug : .warning, "\(error); next try in \(delay.formattedSeconds)",
      metadata: ["client": "\(options.clientID)"])
    triesAtOnce = false
    state = .waiting(until: clock.now + delay)
    events.yield(.connectionLost(error))
  }

  /// What the lost connection brought comes again on the next.
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
    farewell?.wait(atMost: .milliseconds(300))
    farewell = nil
    forgetDeliveries()
    opening.forEach { $0.resume(returning: .failure(error)) }
    opening = []
    // Deferred requests answer their callers themselves: they find the session closed.
    for command in pending.takeDeferred() { command(self) }
    pending.fail(error)
    events.finish()
    mailbox.close(with: error)
    closing.forEach { $0() }
    closing = []
  }

  /// The library repeats what it was given on each connection, and takes nothing back: only another one forgets.
  private func renewClient() throws(MQTTError) {
    needsNewClient = false
    pending.repeatPublications()
    client = try Mosquitto(options)
  }
}
