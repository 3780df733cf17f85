internal import Logging

/// What a broker does not take, keep or answer.
extension SessionLoop {
  /// A broker may answer pings, and nothing else.
  func checkAnswers() {
    guard case .connected = state, undecided == 0, pending.isWaiting else { return }
    guard clock.now - pending.lastAnswer >= options.answerWithin else { return }
    client.cut()
    connectionEnded(
      .unreachable(
        "broker \(options.host):\(options.port) did not answer \(pending.unanswered) within "
          + "\(options.answerWithin.formattedSeconds)"))
  }

  /// When a connection that brings nothing is exchanged.
  var quietUntil: ContinuousClock.Instant? {
    // A clean session would lose what comes meanwhile.
    guard options.version == .v5, options.start == .resume, options.receiveMaximum < 100 else { return nil }
    return lastDelivery + options.quietFor
  }

  func renewQuietConnection() {
    guard case .connected = state, undecided == 0, acknowledging.isEmpty, !pending.isWaiting, let quietUntil,
      clock.now >= quietUntil
    else { return }
    client.cut()
    triesAtOnce = true
    connectionEnded(.unreachable("nothing came for \(options.quietFor.formattedSeconds)"))
  }

  /// Whether a connection ended over the size of a packet. libmosquitto 2.0.22 and 2.1 understand no PUBACK that says so
  /// (0x95): one such end may be anything, a second running is about what was sent again.
  func isAboutSize(_ code: Int32) -> Bool {
    protocolErrors = code == Mosquitto.protocolError ? protocolErrors + 1 : 0
    return code == Int32(ReasonCode.packetTooLarge.rawValue) || protocolErrors > 1
  }

  /// It did not take a packet of `size` bytes.
  func learn(tooLarge size: Int?) {
    if let size { learnedLimit = min(size - 1, learnedLimit ?? Int.max) }
    if let learnedLimit { limits.maximumPacketSize = min(learnedLimit, limits.maximumPacketSize ?? Int.max) }
    mailbox.limits = limits
  }

  func keepNothingRetained() {
    guard !hasToldOfRetention else { return }
    hasToldOfRetention = true
    logger.warning(
      "the broker \(options.host):\(options.port) keeps no retained messages (retain not available): who comes later does not see what was published before",
      metadata: ["client": "\(options.clientID)"])
  }
}
