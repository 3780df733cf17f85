private import Glibc

/// The delivery guarantee (MQTT 5, section 4.3). Exactly once (QoS 2) is not supported.
public enum QoS: Int32, Sendable {
  /// Fire and forget.
  case atMostOnce = 0
  /// Acknowledged with a PUBACK, and sent again until it is.
  case atLeastOnce = 1
}

/// Whether the broker keeps a message as the last one of its topic.
public enum Retention: Sendable {
  /// Kept for later subscribers.
  case retained
  /// Sent to current subscribers only.
  case notRetained
}

/// An application message: topic, payload, QoS, retention and properties.
public struct Message: Sendable, Equatable {
  /// The topic name; no wildcards.
  public var topic: String
  /// The payload.
  public var payload: [UInt8]
  /// The delivery guarantee.
  public var qos: QoS
  /// Whether the broker keeps it, or kept it.
  public var retention: Retention
  /// The MQTT 5 properties; a 3.1.1 session does not send them.
  public var properties: MessageProperties

  /// Creates a message, by default with QoS 1 and not retained.
  public init(
    topic: String, payload: [UInt8], qos: QoS = .atLeastOnce, retention: Retention = .notRetained,
    properties: MessageProperties = MessageProperties()
  ) {
    self.topic = topic
    self.payload = payload
    self.qos = qos
    self.retention = retention
    self.properties = properties
  }
}

/// The MQTT 5 properties of a PUBLISH that applications use (MQTT 5, section 3.3.2.3).
public struct MessageProperties: Sendable, Equatable {
  /// The topic on which the sender expects the response.
  public var responseTopic: String?
  /// Bytes that the response returns.
  public var correlationData: [UInt8]?
  /// The MIME type of the payload.
  public var contentType: String?
  /// Seconds after which the broker drops the message.
  public var messageExpiry: UInt32?
  /// Names and values; order and repetition count.
  public var userProperties: [UserProperty]

  /// Creates properties, all absent by default.
  public init(
    responseTopic: String? = nil, correlationData: [UInt8]? = nil, contentType: String? = nil,
    messageExpiry: UInt32? = nil, userProperties: [UserProperty] = []
  ) {
    self.responseTopic = responseTopic
    self.correlationData = correlationData
    self.contentType = contentType
    self.messageExpiry = messageExpiry
    self.userProperties = userProperties
  }
}

/// A name and a value in a message.
public struct UserProperty: Sendable, Equatable {
  /// The name; may occur more than once.
  public var name: String
  /// The value.
  public var value: String

  /// Creates a pair of `name` and `value`.
  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// A received message, and the right to let its acknowledgement be sent.
///
/// The session writes nothing more until every delivery that it handed out is acknowledged, or until the session is
/// closed with ``Session/drop()``; then the broker, which received no PUBACK, sends the message again (MQTT 5, section
/// 4.4). It hands out at most ``SessionOptions/readsAhead`` of those that have arrived (more if one read brings several).
public struct Delivery: Sendable {
  /// The received message.
  public let message: Message
  /// The packet identifier; a redelivery in the same session has the same one. 0 with QoS 0.
  public let packetID: UInt16
  /// The DUP flag: the broker sent this before and received no PUBACK.
  public let isRedelivery: Bool
  /// When it was read from the connection.
  public let received = ContinuousClock.now

  let connection: Int
  let socket: Int32
  let mailbox: Mailbox

  /// Whether both are the same packet of one connection.
  public func isSame(as other: Delivery) -> Bool { packetID == other.packetID && connection == other.connection }

  /// Whether the connection on which it arrived is still open, as far as this machine knows.
  ///
  /// On a later connection the broker may have sent it again, to this process or to the next one with its client id: a
  /// process that was stopped for a while (SIGSTOP, a suspended machine) has no other way to know that its message is
  /// stale.
  public var isCurrent: Bool {
    // Compare the number last: the descriptor may have been reused meanwhile.
    var entry = pollfd(fd: socket, events: Delivery.peerHasClosed, revents: 0)
    return poll(&entry, 1, 0) == 0 && connection == mailbox.connection
  }

  /// Lets the PUBACK be sent, and returns when it has been handed to the kernel, or when its connection is gone. The
  /// effects of the message must be durable by now. If one read brought several deliveries, their PUBACKs are sent
  /// together, after the last is acknowledged; for the others this returns at once.
  public func acknowledge() async {
    await withCheckedContinuation { done in
      mailbox.post { loop in
        if let loop { loop.acknowledged(self, done) } else { done.resume() }
      }
    }
  }

  /// Lets the PUBACK be sent, and does not wait until the kernel has it: if the process ends before, the broker sends the
  /// message again.
  public func acknowledgeSoon() {
    mailbox.post { $0?.acknowledged(self, nil) }
  }

  /// `POLLRDHUP` of poll(2), which the headers define only with _GNU_SOURCE.
  private static let peerHasClosed: Int16 = 0x2000
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
