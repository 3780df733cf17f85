internal import Logging

/// Handling of brokers that do not accept, keep or answer packets.
extension SessionLoop {
  /// A broker may answer pings and nothing else: then try another connection.
  func checkAnswers() {
    guard case .connected = state, undecided == 0, pending.isWaiting else { return }
    guard clock.now - pending.lastAnswer >= options.answerWithin else { return }
    client.cut()
    connectionEnded(
      .unreachable(
        "broker \(options.broker) did not answer \(pending.unanswered) within "
          + "\(options.answerWithin.formattedSeconds)"))
  }

  /// A broker may accept a connection, and never answer CONNECT: the library waits for longer than the user may want to.
  /// Or it answers nothing after that, on any connection.
  func checkPatience() {
    switch state {
    case .connecting:
      guard let giveUpAt, clock.now >= giveUpAt else { return }
      client.cut()
      connectionEnded(client.error(Mosquitto.noAnswer, errno: 0))
    case .connected:
      guard let answerBy, clock.now >= answerBy else { return }
      client.cut()
      fail(.unreachable("broker \(options.broker) does not answer \(pending.unanswered)"))
    case .waiting, .closed: return
    }
  }

  /// When a session fails without an answer; `nil` if it may wait for ever, or for none.
  var answerBy: ContinuousClock.Instant? {
    guard options.failsWithoutAnswer, undecided == 0, pending.isWaiting, let giveUpAfter else { return nil }
    return pending.silentSince.map { $0 + giveUpAfter }
  }

  /// The time at which a connection without deliveries is replaced.
  var quietUntil: ContinuousClock.Instant? {
    // A clean session would lose messages that arrive meanwhile.
    guard options.version == .v5, options.start == .resume, options.receiveMaximum < 100 else { return nil }
    return lastDelivery + options.quietFor
  }

  func renewQuietConnection() {
    guard case .connected = state, undecided == 0, acknowledging.isEmpty, !pending.isWaiting, let quietUntil,
      clock.now >= quietUntil
    else { return }
    client.cut()
    triesAtOnce = true
    connectionEnded(.unreachable("no message arrived for \(options.quietFor.formattedSeconds)"))
  }

  /// Whether a connection ended because of a packet's size. libmosquitto 2.0.22 and 2.1 do not parse a PUBACK with
  /// 0x95: a first protocol error may have any cause, one soon after the next connection concerns the retransmitted packet.
  func isAboutSize(_ code: Int32) -> Bool {
    if case .connected(let since) = state, clock.now - since > options.answerWithin { protocolErrors = 0 }
    protocolErrors = code == Mosquitto.protocolError ? protocolErrors + 1 : 0
    return code == Int32(ReasonCode.packetTooLarge.rawValue) || protocolErrors > 1
  }

  /// Learns that the broker refused a packet of `size` bytes.
  func learn(tooLarge size: Int?) {
    if let size { learnedLimit = min(size - 1, learnedLimit ?? Int.max) }
    if let learnedLimit { limits.maximumPacketSize = min(learnedLimit, limits.maximumPacketSize ?? Int.max) }
    mailbox.limits = limits
  }

  func keepNothingRetained() {
    guard !hasWarnedOfRetention else { return }
    hasWarnedOfRetention = true
    logger.warning(
      "the broker \(options.broker) keeps no retained messages (retain not available): later subscribers do not get earlier publications",
      metadata: ["client": "\(options.clientID)"])
  }
}
