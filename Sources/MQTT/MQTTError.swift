private import CMosquitto
private import Glibc

/// Why a session could not perform a request.
public enum MQTTError: Error, Sendable, Equatable {
  /// The connection failed or was lost; a retry may help.
  case unreachable(String)
  /// The broker refuses these credentials, or they lack a right. A retry does not help.
  case refused(String)
  /// TLS cannot be set up, or the broker's certificate is not accepted. A retry does not help.
  case tls(String)
  /// Another connection uses the client id.
  case clientIDInUse(String)
  /// The broker does not support the protocol version, or does not accept the client id.
  case unsupported(String)
  /// The library or the caller violated a rule of MQTT; a defect.
  case usage(String)
  /// A message is not sent, or was refused by the broker, because its packet would have more than `limit` bytes
  /// (``Message/packetSize(_:)``). The session continues. The broker's actual limit may be lower than `limit` if the
  /// broker did not announce it.
  case packetTooLarge(limit: Int)
  /// The session was closed before the request was done.
  case closed
}

extension MQTTError {
  /// Whether a new connection may succeed without any change of settings.
  public var isTransient: Bool {
    if case .unreachable = self { true } else { false }
  }
}

extension MQTTError: CustomStringConvertible {
  /// A sentence for the user.
  public var description: String {
    switch self {
    case .unreachable(let text), .refused(let text), .tls(let text), .clientIDInUse(let text), .unsupported(let text),
      .usage(let text):
      text
    case .packetTooLarge(let limit):
      "the message is too large: the broker accepts no packet of more than \(limit) bytes"
    case .closed: "the session was closed"
    }
  }
}

/// An MQTT 5 reason code: how the broker answered a packet (MQTT 5, section 2.4).
///
/// Codes from 0x80 on are failures. 3.1.1 brokers give only 0 for PUBACK, and 0x80 for a refused SUBSCRIBE.
public struct ReasonCode: RawRepresentable, Hashable, Sendable {
  /// The byte in the packet.
  public let rawValue: UInt8

  /// Creates a code from any byte, known or not.
  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  /// 0x00: done.
  public static let success = ReasonCode(rawValue: 0x00)
  /// 0x10 in a PUBACK: the broker accepted the message and dropped it, because its topic has no subscriber.
  public static let noMatchingSubscribers = ReasonCode(rawValue: 0x10)
  /// 0x87: the account lacks the right.
  public static let notAuthorized = ReasonCode(rawValue: 0x87)
  /// 0x8E in a DISCONNECT: another connection opened with the same client id.
  public static let sessionTakenOver = ReasonCode(rawValue: 0x8E)

  /// 0x95: a packet is larger than the broker accepts.
  public static let packetTooLarge = ReasonCode(rawValue: 0x95)
  /// 0x9A: the broker keeps no retained messages.
  public static let retainNotSupported = ReasonCode(rawValue: 0x9A)
  /// 0x9E: the broker has no shared subscriptions.
  public static let sharedSubscriptionsNotSupported = ReasonCode(rawValue: 0x9E)

  /// Whether the broker refused.
  public var isFailure: Bool {
    rawValue >= 0x80
  }
}

extension ReasonCode: CustomStringConvertible {
  /// The code's name and number, as in `Not authorized (0x87)`.
  public var description: String {
    let name = String(cString: mosquitto_reason_string(Int32(rawValue)))
    let digits = String(rawValue, radix: 16, uppercase: true)
    return "\(name) (0x\(digits.count == 1 ? "0" : "")\(digits))"
  }
}

extension Mosquitto {
  /// The error that a return code of the library means for the session.
  func error(_ code: Int32, errno error: Int32 = 0) -> MQTTError {
    if let refusal = tls?.problem(of: options.host) ?? tls?.handshake.refusal {
      return .tls("TLS with \(broker): \(refusal)")
    }
    if let tls, tls.handshake.asksForCertificate, !isAccepted,
      code == MOSQ_ERR_CONN_LOST.code || (code == MOSQ_ERR_ERRNO.code && [EPROTO, EPIPE].contains(error))
    {
      return .unreachable(
        "TLS with \(broker): the broker closed the connection after the handshake; it may not accept this client's certificate"
      )
    }
    switch code {
    case MOSQ_ERR_TLS.code:
      let reason = errors.joined(separator: "; ")
      guard !reason.isEmpty, !reason.contains("unexpected eof") else {
        return .unreachable(
          "TLS with \(broker): the broker closed the connection during the handshake; does it speak TLS on this port?")
      }
      // Plain text looks like a TLS record of some other version.
      guard !reason.contains("wrong version number"), !reason.contains("packet length too long") else {
        return .tls("TLS with \(broker): it does not speak TLS on this port; give the TLS port, or use mqtt://")
      }
      return .unreachable("TLS with \(broker): \(reason)")
    case MOSQ_ERR_ERRNO.code:
      return .unreachable("broker \(broker): \(String(cString: strerror(error)))")
    case MOSQ_ERR_EAI.code:
      return .unreachable("broker \(broker): the host name cannot be resolved; check the name and the DNS server")
    case MOSQ_ERR_CONN_LOST.code:
      guard !isAccepted else { return .unreachable("broker \(broker) closed the connection") }
      return .unreachable(
        "broker \(broker) closed the connection before it answered: it may have reached its limit of connections"
          + (options.version == .v5 ? ", not speak MQTT 5 (try --protocol-version 4)" : ", not accept QoS 1")
          + (options.tls == nil ? ", or speak TLS on this port (mqtts://)" : ""))
    case Int32(LIBMOSQUITTO_FAILED):
      return .unreachable("broker \(broker) sent a packet that libmosquitto cannot read; the connection is closed")
    case MOSQ_ERR_KEEPALIVE.code:
      guard !isAccepted else { return .unreachable("broker \(broker) does not answer pings") }
      return .unreachable(
        "broker \(broker) does not answer CONNECT"
          + (options.version == .v5 ? "; it may not speak MQTT 5 (try --protocol-version 4)" : ""))
    default:
      return .unreachable("broker \(broker): \(String(cString: mosquitto_strerror(code)))")
    }
  }

  var broker: String { options.broker }
}

extension MQTTError {
  /// The error for a refused connection: the code of its CONNACK, of MQTT 5 (section 3.2.2.2) or 3.1.1 (3.2.2.3).
  init(refusing options: SessionOptions, _ code: ReasonCode) {
    let broker = "broker \(options.broker)"
    switch code.rawValue {
    case 4:
      self = .refused("\(broker) refuses the connection: bad user name or password")
    case 5:
      self = .refused("\(broker) refuses the connection: not authorized; check user name, password and ACL")
    case 0x86, 0x87, 0x8A, 0x8C:
      self = .refused("\(broker) refuses the connection: \(code); check user name, password and ACL")
    case 1, 0x84:
      self = .unsupported("\(broker) does not speak MQTT \(options.version.name); try another --protocol-version")
    case 3:
      self = .unreachable("\(broker) answers: server unavailable")
    case 0x9B:
      self = .unsupported(
        "\(broker) does not accept QoS 1 (\(code)), without which messages are lost; enable it in the broker (mosquitto: max_qos)"
      )
    case 2, 0x85:
      self = .unsupported("\(broker) does not accept the client id '\(options.clientID)'")
    default:
      self = .unreachable("\(broker) answers: \(code)")
    }
  }

  /// The error for a connection that the broker ended with a DISCONNECT (MQTT 5, section 3.14.2.1); the library's own
  /// codes are lower, and give `nil`.
  init?(disconnecting options: SessionOptions, _ code: Int32) {
    guard code >= 0x80 else { return nil }
    let reason = ReasonCode(rawValue: UInt8(clamping: code))
    let text = "broker \(options.broker) ended the connection: \(reason)"
    switch reason {
    case .sessionTakenOver:
      self = .clientIDInUse(
        "the broker gave the session of client id '\(options.clientID)' to another connection; give each client its own id"
      )
    case .notAuthorized: self = .refused(text)
    case .sharedSubscriptionsNotSupported: self = .unsupported("\(text)\(reason.advice)")
    default: self = .unreachable(text)
    }
  }
}

extension ProtocolVersion {
  /// The version's usual name.
  fileprivate var name: String {
    switch self {
    case .v311: "3.1.1"
    case .v5: "5"
    }
  }
}

extension Mosquitto {
  /// The errno of a failed connection, when the library reports `error`.
  ///
  /// libmosquitto 2.1 asks for the address of the socket that it failed to open, which leaves EBADF in errno. So
  /// connect once more without the library, for at most a second for each address.
  func reason(of error: Int32) -> Int32 {
    guard error == EBADF else { return error }
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var first: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(options.host, "\(options.port)", &hints, &first) == 0 else { return error }
    defer { freeaddrinfo(first) }
    var reason = error
    var next = first
    while let address = next?.pointee {
      reason = reasonAgainst(address)
      next = address.ai_next
    }
    return reason
  }

  /// Tries to connect. A connection that succeeds by now counts as refused, as it was before.
  private func reasonAgainst(_ address: addrinfo) -> Int32 {
    let trial = Glibc.socket(
      address.ai_family, address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue),
      address.ai_protocol)
    guard trial >= 0 else { return errno }
    defer { close(trial) }
    if Glibc.connect(trial, address.ai_addr, address.ai_addrlen) == 0 { return ECONNREFUSED }
    guard errno == EINPROGRESS else { return errno }
    var entry = pollfd(fd: trial, events: Int16(POLLOUT), revents: 0)
    guard poll(&entry, 1, 1000) > 0 else { return ETIMEDOUT }
    var cause: Int32 = 0
    var count = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(trial, SOL_SOCKET, SO_ERROR, &cause, &count)
    return cause == 0 ? ECONNREFUSED : cause
  }
}
