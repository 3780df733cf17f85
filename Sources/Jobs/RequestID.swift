/// An idempotency key.
///
/// Two messages with the same key of a sender (`requestId` or Correlation Data) are the same request. For a message
/// without one, the key is made of the session, its epoch, the packet identifier, the digest of the message, and the
/// time. A redelivery with DUP set differs only in the time (MQTT 5, section 4.4). A later message may do so too, so
/// only the key of a redelivery is compared without its time. If the broker loses the session, packet identifiers start
/// again: the session gets a new epoch.
package struct RequestID: Codable, Hashable, Sendable, CustomStringConvertible {
  /// The longest key of a sender, and so the longest Correlation Data, in bytes: the result returns both, and must fit
  /// into the broker's maximum packet size.
  package static let longest = 4096

  /// The key.
  package let text: String

  /// A key from the sender or from a file.
  package init(_ text: String) {
    self.text = text
  }

  /// A key for a message that has none. `epoch` is the session's, `digest` that of the whole message; `instant` is any
  /// number that is not used twice.
  package init(
    session: String, epoch: String, packetID: UInt16, digest: String, instant: Int64, isRedelivery: Bool
  ) {
    let delivery = "\(session)/\(epoch)/\(packetID)/\(digest)"
    text = "\(RequestID.made)\(delivery)@\(instant)\(isRedelivery ? RequestID.again : "")"
  }

  /// The stored form is only the text.
  package init(from decoder: any Decoder) throws {
    self.init(try decoder.singleValueContainer().decode(String.self))
  }

  /// The stored form is only the text.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }

  /// The key for a delivery that the broker may have sent again meanwhile.
  package var asRedelivered: RequestID {
    mayRepeat ? self : RequestID(text + RequestID.again)
  }

  /// Whether `stored`, from a claim, a deferred request or a result, is the key of the same request.
  package func isSame(as stored: String?) -> Bool {
    guard let stored else { return false }
    guard text.hasPrefix(RequestID.made), text.hasSuffix(RequestID.again), let end = text.lastIndex(of: "@") else {
      return stored == text
    }
    return stored.hasPrefix(text[...end])
  }

  /// Whether the request may be on the volume already: its key is the sender's, or the broker sent it again. A key made
  /// for a first delivery is new.
  package var mayRepeat: Bool {
    isSenders || text.hasSuffix(RequestID.again)
  }

  /// Whether the key is the sender's.
  package var isSenders: Bool { !text.hasPrefix(RequestID.made) }

  /// The key.
  package var description: String { text }

  private static let made = "delivery:"
  private static let again = "+dup"
}
