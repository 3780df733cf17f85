extension MQTTError {
  /// Why the broker did not accept a connection: the code of its CONNACK, of MQTT 5 (section 3.2.2.2) or 3.1.1 (3.2.2.3).
  init(refusing options: SessionOptions, _ code: ReasonCode) {
    let broker = "broker \(options.host):\(options.port)"
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
        "\(broker) does not take QoS 1 (\(code)), without which messages are lost; allow it there (mosquitto: max_qos)")
    case 2, 0x85:
      self = .unsupported("\(broker) does not take the client id '\(options.clientID)'")
    default:
      self = .unreachable("\(broker) answers: \(code)")
    }
  }

  /// Why the broker ended a connection, when it said so with a DISCONNECT (MQTT 5, section 3.14.2.1); the library's own
  /// codes are lower, and give `nil`.
  init?(disconnecting options: SessionOptions, _ code: Int32) {
    guard code >= 0x80 else { return nil }
    let reason = ReasonCode(rawValue: UInt8(clamping: code))
    let text = "broker \(options.host):\(options.port) ended the connection: \(reason)"
    switch reason {
    case .sessionTakenOver:
      self = .clientIDInUse("the broker gave the session of client id '\(options.clientID)' to another connection")
    case .notAuthorized: self = .refused(text)
    default: self = .unreachable(text)
    }
  }
}

extension ProtocolVersion {
  /// The version as people call it.
  fileprivate var name: String {
    switch self {
    case .v311: "3.1.1"
    case .v5: "5"
    }
  }
}
