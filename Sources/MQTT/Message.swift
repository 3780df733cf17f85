/// How often a message arrives (MQTT 5, section 4.3). Exactly once (QoS 2) is not spoken here.
public enum QoS: Int32, Sendable {
  /// Fire and forget.
  case atMostOnce = 0
  /// Acknowledged with a PUBACK, sent again until it is.
  case atLeastOnce = 1
}

/// Whether the broker keeps a message as the last one of its topic.
public enum Retention: Sendable {
  /// Kept for those who subscribe later.
  case retained
  /// Handed to those who subscribe now.
  case notRetained
}

/// An application message: a topic, bytes, and how they travel.
public struct Message: Sendable, Equatable {
  /// The topic name; no wildcards.
  public var topic: String
  /// The bytes.
  public var payload: [UInt8]
  /// The delivery guarantee.
  public var qos: QoS
  /// Whether it is, or was, kept by the broker.
  public var retention: Retention
  /// What MQTT 5 adds; a 3.1.1 session leaves it out on the way to the broker.
  public var properties: MessageProperties

  /// A message with QoS 1 that is not retained, unless said otherwise.
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
  /// Where the sender waits for an answer.
  public var responseTopic: String?
  /// Bytes that an answer carries back.
  public var correlationData: [UInt8]?
  /// The MIME type of the payload.
  public var contentType: String?
  /// Seconds after which the broker drops the message.
  public var messageExpiry: UInt32?
  /// Names and values; order and repetition count.
  public var userProperties: [UserProperty]

  /// Properties that are all absent, unless said otherwise.
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

/// One name and value that travel with a message.
public struct UserProperty: Sendable, Equatable {
  /// The name; may occur more than once.
  public var name: String
  /// The value.
  public var value: String

  /// A pair of `name` and `value`.
  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}
