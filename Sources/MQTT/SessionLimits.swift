internal import CMosquitto

/// What the broker takes and keeps on a connection, as its CONNACK says (MQTT 5, section 3.2.2.3).
///
/// A 3.1.1 broker says nothing, and may have limits all the same: then everything counts as allowed.
public struct SessionLimits: Sendable, Equatable {
  /// The most bytes that a packet to the broker may have, headers counted in, as in ``Message/packetSize(_:)``; `nil` when no
  /// bound is known. A broker that announced none and then refused a packet is known to take less than that packet had.
  public internal(set) var maximumPacketSize: Int?
  /// Whether the broker keeps retained messages. Where it does not, the session sends unretained what is to be retained.
  public internal(set) var isRetainAvailable = true
  /// The highest QoS that the broker takes.
  public internal(set) var maximumQoS = QoS.atLeastOnce
  /// How many seconds the broker keeps the session after the connection: what was asked for, unless it says otherwise.
  public internal(set) var sessionExpiry: UInt32 = 0
  /// Whether the broker has shared subscriptions (`$share/…`).
  public internal(set) var hasSharedSubscriptions = true

  init() {}

  /// What is asked for with `options`, before a broker has answered.
  init(_ options: SessionOptions) {
    sessionExpiry = options.sessionExpiry
  }

  /// What a CONNACK says to what is asked for with `options`.
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
  /// How many bytes its PUBLISH has, headers counted in (MQTT 5, section 3.3; 3.1.1, section 3.3).
  public func packetSize(_ version: ProtocolVersion) -> Int {
    var remaining = 2 + topic.utf8.count + payload.count
    if qos != .atMostOnce { remaining += 2 }
    if version == .v5 { remaining += lengthSize(properties.size) + properties.size }
    return 1 + lengthSize(remaining) + remaining
  }
}

extension MessageProperties {
  fileprivate var size: Int {
    // Each has an identifier of one byte, and texts and bytes have a length of two.
    var size = [responseTopic?.utf8.count, correlationData?.count, contentType?.utf8.count].reduce(0) {
      $0 + ($1.map { 3 + $0 } ?? 0)
    }
    if messageExpiry != nil { size += 5 }
    for pair in userProperties { size += 5 + pair.name.utf8.count + pair.value.utf8.count }
    return size
  }
}

/// How many bytes a length takes (a Variable Byte Integer; MQTT 5, section 1.5.5).
private func lengthSize(_ length: Int) -> Int {
  switch length {
  case ..<128: 1
  case ..<16_384: 2
  case ..<2_097_152: 3
  default: 4
  }
}
