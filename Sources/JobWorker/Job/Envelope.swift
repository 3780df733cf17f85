/// A request as it arrived, with what is needed to answer it and to know it again.
public struct Envelope: Codable, Sendable, Equatable {
  /// The payload, as it was sent.
  public var payload: String
  /// The topic on which it came.
  public var topic: String
  /// What tells this request from every other: the sender's, else one made at arrival.
  public var requestId: RequestID
  /// Where the sender waits for an answer (MQTT 5 Response Topic).
  public var responseTopic: String?
  /// What the answer carries back (MQTT 5 Correlation Data).
  public var correlationData: [UInt8]?

  /// A request as it arrived.
  public init(
    payload: String, topic: String, requestId: RequestID, responseTopic: String? = nil, correlationData: [UInt8]? = nil
  ) {
    self.payload = payload
    self.topic = topic
    self.requestId = requestId
    self.responseTopic = responseTopic
    self.correlationData = correlationData
  }
}

/// An idempotency key.
///
/// The sender's, from `requestId` or Correlation Data, is the same request wherever it turns up again. Without one,
/// the key is made of the session and packet identifier of the delivery and the time: the same message, sent again by
/// the broker with DUP set, has the same session and packet identifier (MQTT 5, section 4.4), but a later message may have
/// them too, so only a redelivery is compared that way.
public struct RequestID: Codable, Hashable, Sendable, CustomStringConvertible {
  /// The key.
  public let text: String
  private let redelivered: String?

  /// The key that the sender gave.
  public init(_ text: String) {
    self.text = text
    redelivered = nil
  }

  /// A key for a message that has none. `instant` is any number that is not used twice.
  public init(session: String, packetID: UInt16, instant: Int64, isRedelivery: Bool) {
    let delivery = "delivery:\(session)/\(packetID)@"
    text = delivery + "\(instant)"
    redelivered = isRedelivery ? delivery : nil
  }

  /// The stored form of a key.
  public init(from decoder: any Decoder) throws {
    self.init(try decoder.singleValueContainer().decode(String.self))
  }

  /// The stored form is the text alone.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }

  /// Whether `stored`, from a claim, a ticket or a result, is the key of this same request.
  public func isSame(as stored: String?) -> Bool {
    guard let stored else { return false }
    return stored == text || redelivered.map(stored.hasPrefix) ?? false
  }

  /// The key.
  public var description: String { text }
}
