/// Why a session could not perform a request.
public enum MQTTError: Error, Sendable, Equatable {
  /// The connection failed or was lost; a retry may help.
  case unreachable(String)
  /// The broker refuses these credentials, or they lack a right. A retry does not help.
  case refused(String)
  /// TLS cannot be set up, or the broker's certificate is not accepted. A retry does not help.
  case tls(String)
  /// Another live connection uses the client id.
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
