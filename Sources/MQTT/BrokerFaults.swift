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

/// Whether the Last Will is to be retained on the next connection.
///
/// A 3.1.1 broker that keeps nothing retained has no word for it: at a will that is to be retained it closes the connection
/// (mosquitto). After two such ends, running, it is tried without, and with it again when that does not help.
struct WillRetention {
  /// The will is not to be retained, though it was meant to be.
  private(set) var isDemoted = false
  /// CONNECT was sent on the present connection.
  var hasAsked = false
  /// How often, running, the broker closed the connection instead of answering.
  private var silentRefusals = 0

  /// The broker answered CONNECT.
  mutating func accepted() { silentRefusals = 0 }

  /// A connection ended before the broker answered. Changes the will's retention in `options` when the next one should have the
  /// other; returns whether it did.
  mutating func refused(_ options: inout SessionOptions) -> Bool {
    silentRefusals = hasAsked ? silentRefusals + 1 : 0
    guard options.version == .v311, silentRefusals >= 2, let will = options.will,
      will.retention == .retained || isDemoted
    else { return false }
    isDemoted.toggle()
    options.will?.retention = isDemoted ? .notRetained : .retained
    return true
  }
}
