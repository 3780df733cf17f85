internal import CMosquitto

/// The broker's limits on a connection, as its CONNACK states them (MQTT 5, section 3.2.2.3).
///
/// A 3.1.1 broker states none, although it may have limits: then everything counts as allowed.
public struct SessionLimits: Sendable, Equatable {
  /// The maximum size in bytes of a packet to the broker, headers included, as in ``Message/packetSize(_:)``; `nil`
  /// when no limit is known. A broker that announced none and then refused a packet is known to accept less than that
  /// packet's size.
  public internal(set) var maximumPacketSize: Int?
  /// Whether the broker keeps retained messages. If it does not, the session sends retained messages unretained.
  public internal(set) var isRetainAvailable = true
  /// The highest QoS that the broker accepts.
  public internal(set) var maximumQoS = QoS.atLeastOnce
  /// How long the broker keeps the session after the connection, in seconds: the requested value, unless it states
  /// another.
  public internal(set) var sessionExpiry: UInt32 = 0
  /// Whether the broker has shared subscriptions (`$share/…`).
  public internal(set) var hasSharedSubscriptions = true

  init() {}

  /// The requested values, before a broker has answered.
  init(_ options: SessionOptions) {
    sessionExpiry = options.sessionExpiry
  }

  /// The values that a CONNACK states in answer to `options`.
  init(_ options: SessionOptions, _ properties: OpaquePointer?) {
    self.init(options)
    maximumPacketSize = int32Property(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE).map { Int($0) }
    isRetainAvailable = byteProperty(properties, MQTT_PROP_RETAIN_AVAILABLE) != 0
    if byteProperty(properties, MQTT_PROP_MAXIMUM_QOS) == 0 { maximumQoS = .atMostOnce }
    sessionExpiry = int32Property(properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL) ?? options.sessionExpiry
    hasSharedSubscriptions = byteProperty(properties, MQTT_PROP_SHARED_SUB_AVAILABLE) != 0
  }
}

extension Message {
  /// The size of its PUBLISH in bytes, headers included (MQTT 5, section 3.3; 3.1.1, section 3.3).
  public func packetSize(_ version: ProtocolVersion) -> Int {
    var remaining = 2 + topic.utf8.count + payload.count
    if qos != .atMostOnce { remaining += 2 }
    if version == .v5 { remaining += lengthSize(properties.size) + properties.size }
    return 1 + lengthSize(remaining) + remaining
  }
}

extension MessageProperties {
  fileprivate var size: Int {
    // Each property has an identifier of one byte; strings and binary data have a length of two.
    var size = [responseTopic?.utf8.count, correlationData?.count, contentType?.utf8.count].reduce(0) {
      $0 + ($1.map { 3 + $0 } ?? 0)
    }
    if messageExpiry != nil { size += 5 }
    for pair in userProperties { size += 5 + pair.name.utf8.count + pair.value.utf8.count }
    return size
  }
}

/// The size of an encoded length (a Variable Byte Integer; MQTT 5, section 1.5.5).
private func lengthSize(_ length: Int) -> Int {
  switch length {
  case ..<128: 1
  case ..<16_384: 2
  case ..<2_097_152: 3
  default: 4
  }
}
