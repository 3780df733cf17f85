/// Why a session could not do what it was asked to.
public enum MQTTError: Error, Sendable, Equatable {
  /// No connection could be had, or it was lost; trying again may help.
  case unreachable(String)
  /// The broker refuses these credentials, or these credentials may not do this. Trying again does not help.
  case refused(String)
  /// TLS cannot be set up or the broker's certificate is not accepted. Trying again does not help.
  case tls(String)
  /// The client id belongs to another connection that is alive.
  case clientIDInUse(String)
  /// The broker does not speak the protocol version, or does not take the client id.
  case unsupported(String)
  /// The library or the caller broke a rule of MQTT; a defect.
  case usage(String)
  /// A message is not sent, or was refused by the broker, because its packet would have more than `limit` bytes
  /// (``Message/packetSize(_:)``). The session goes on. What the broker takes may be less than `limit`, if it did not announce it.
  case packetTooLarge(limit: Int)
  /// The session was closed before this was done.
  case closed
}

extension MQTTError {
  /// Whether a new connection has a chance to succeed without anybody changing anything.
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
    case .packetTooLarge(let limit): "the message is too large: the broker takes no packet of more than \(limit) bytes"
    case .closed: "the session was closed"
    }
  }
}
