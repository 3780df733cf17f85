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
    case .closed: "the session was closed"
    }
  }
}
