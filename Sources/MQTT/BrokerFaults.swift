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
        "broker \(options.host):\(options.port) did not answer \(pending.unanswered) within "
          + "\(options.answerWithin.formattedSeconds)"))
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
  /// 0x95: a first protocol error may have any cause, a second in succession concerns the retransmitted packet.
  func isAboutSize(_ code: Int32) -> Bool {
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
    guard !hasToldOfRetention else { return }
    hasToldOfRetention = true
    logger.warning(
      "the broker \(options.host):\(options.port) keeps no retained messages (retain not available): later subscribers do not see earlier publications",
      metadata: ["client": "\(options.clientID)"])
  }
}

/// Decides whether the Last Will is retained on the next connection.
///
/// A 3.1.1 broker without retained messages cannot say so: mosquitto closes the connection at a retained will. After
/// two such ends in succession, the will is sent unretained, and retained again if that does not help.
struct WillRetention {
  /// The will is sent unretained, although the caller wants it retained.
  private(set) var isDemoted = false
  /// CONNECT was sent on the present connection.
  var hasAsked = false
  /// The number of connections in succession that the broker closed instead of answering.
  private var silentRefusals = 0

  /// The broker answered CONNECT.
  mutating func accepted() { silentRefusals = 0 }

  /// A connection ended before the broker answered. Changes the will's retention in `options` if the next connection
  /// should use the other value; returns whether it did.
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
