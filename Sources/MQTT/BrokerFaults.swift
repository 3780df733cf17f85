private import Glibc
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
  private(set) var silentRefusals = 0

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

/// Keeps a connection open for a moment after DISCONNECT, for the broker's last packets.
///
/// The library closes its socket at once. The kernel answers a PUBACK that arrives then with a reset, and mosquitto
/// (2.0.11) ends the connection at its next write, before it has read DISCONNECT: it publishes the Last Will of a
/// client that disconnected cleanly.
struct LingeringClose {
  private let socket: Int32

  /// Holds the connection `socket`, which is not closed yet.
  init(_ socket: Int32) {
    self.socket = fcntl(socket, F_DUPFD_CLOEXEC, 0)
  }

  /// Waits until the broker has closed the connection, too, but no longer than `limit`.
  func wait(atMost limit: Duration) {
    guard socket >= 0 else { return }
    defer { close(socket) }
    shutdown(socket, Int32(SHUT_WR))
    let deadline = ContinuousClock.now + limit
    var answers = [UInt8](repeating: 0, count: 1024)
    var isOpen = true
    while isOpen {
      var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      let left = (deadline - .now) / .milliseconds(1)
      guard left > 0, poll(&descriptor, 1, Int32(left) + 1) > 0 else { return }
      isOpen = recv(socket, &answers, answers.count, Int32(MSG_DONTWAIT)) > 0
    }
  }
}

/// Detects that another client uses this one's id, where a broker ends a connection without a reason: 3.1.1 has none,
/// and mosquitto 2.0.11 sends none on MQTT 5 either.
///
/// It holds a separate connection under a unique id. When the broker or the network fails, it loses that, too. When
/// only this client's connections are closed, again and again, another client takes them over (MQTT 5, section 3.1.4).
final class Witness {
  private let session: Session
  /// The witness's connection when the client's began.
  private var seen: Int?
  private var cuts = 0

  /// A connection that speaks `version`, or what `options` says.
  init(_ options: SessionOptions, _ version: ProtocolVersion? = nil) throws(MQTTError) {
    var options = options
    options.version = version ?? options.version
    options.clientID += "-\(UInt32.random(in: 0...UInt32.max))"
    options.start = .clean
    options.will = nil
    options.isWitness = true
    // The state of its connection interests no one else: log nothing.
    session = try Session(options, logger: Logger(label: "witness") { _ in SwiftLogNoOpLogHandler() })
  }

  deinit {
    session.drop()
  }

  /// Whether the broker accepts it at present.
  var isConnected: Bool { session.standingConnection != nil }

  /// The client's connection begins.
  func connectionBegan() {
    seen = session.standingConnection
  }

  /// Whether another client uses the id; call it before the next attempt after a connection was closed early: by then
  /// the witness has noticed if it lost its own.
  func seesAnother() -> Bool {
    guard let connection = seen, session.standingConnection == connection else {
      cuts = 0
      return false
    }
    seen = nil
    cuts += 1
    return cuts >= 2
  }
}
