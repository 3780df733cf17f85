private import CMosquitto

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
