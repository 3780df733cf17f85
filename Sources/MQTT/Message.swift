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

/// One name and value that travel with a message.
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
