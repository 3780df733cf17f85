/// A request as it arrived, with what is needed to answer it and to know it again.
package struct Envelope: Codable, Sendable, Equatable {
  /// The payload, as it was sent.
  package var payload: String
  /// The topic on which it came.
  package var topic: String
  /// What tells this request from every other: the sender's, else one made at arrival.
  package var requestId: RequestID
  /// Where the sender waits for an answer (MQTT 5 Response Topic).
  package var responseTopic: String?
  /// What the answer carries back (MQTT 5 Correlation Data).
  package var correlationData: [UInt8]?
  /// What was decided about it, if it had to be approved; never part of what arrives.
  package var approval: Approval?

  /// Of a request that was put down again by who had begun it: what its attempts have in common (``ClaimRecord/run``).
  package var run: String?

  /// A request as it arrived.
  package init(
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
/// the key is made of the session, its epoch and the packet identifier of the delivery, the digest of what was sent, and the
/// time: the same message, sent again by the broker with DUP set, has all but the time in common (MQTT 5, section 4.4). A later
/// message may have that, too, so only the key of a redelivery is compared without its time. A session that the broker lost
/// begins its packet identifiers anew: then it has a new epoch.
package struct RequestID: Codable, Hashable, Sendable, CustomStringConvertible {
  /// The most bytes that a sender's key may have, and so the Correlation Data of a request: both go back with the result, which
  /// must fit into what the broker takes.
  package static let longest = 4096

  /// The key.
  package let text: String

  /// A key that the sender gave, or one that was stored.
  package init(_ text: String) {
    self.text = text
  }

  /// A key for a message that has none. `epoch` is the session's, `digest` that of all that was sent; `instant` is any number
  /// that is not used twice.
  package init(
    session: String, epoch: String, packetID: UInt16, digest: String, instant: Int64, isRedelivery: Bool
  ) {
    let delivery = "\(session)/\(epoch)/\(packetID)/\(digest)"
    text = "\(RequestID.made)\(delivery)@\(instant)\(isRedelivery ? RequestID.again : "")"
  }

  /// The stored form is the text alone.
  package init(from decoder: any Decoder) throws {
    self.init(try decoder.singleValueContainer().decode(String.self))
  }

  /// The stored form is the text alone.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }

  /// The key of a delivery that the broker may have sent again meanwhile.
  package var asRedelivered: RequestID {
    mayRepeat ? self : RequestID(text + RequestID.again)
  }

  /// Whether `stored`, from a claim, a ticket or a result, is the key of this same request.
  package func isSame(as stored: String?) -> Bool {
    guard let stored else { return false }
    guard text.hasPrefix(RequestID.made), text.hasSuffix(RequestID.again), let end = text.lastIndex(of: "@") else {
      return stored == text
    }
    return stored.hasPrefix(text[...end])
  }

  /// Whether the request may lie somewhere already: its key is the sender's, or the broker sent it again. A key that was
  /// made for a first delivery is new.
  package var mayRepeat: Bool {
    isSenders || text.hasSuffix(RequestID.again)
  }

  /// Whether the sender gave it.
  package var isSenders: Bool { !text.hasPrefix(RequestID.made) }

  /// The key.
  package var description: String { text }

  private static let made = "delivery:"
  private static let again = "+dup"
}

/// What somebody decided about a request that waits for approval.
///
/// It lies beside the request on the volume, where anybody may have put it, and holds for what it names only: a request with
/// another digest, or a job.json with another, is not what was looked at.
package struct Approval: Codable, Sendable, Equatable {
  /// What was decided.
  package enum Decision: String, Codable, Sendable {
    /// The request may be begun.
    case approved
    /// It is answered with the status `rejected`.
    case rejected
  }

  /// What was decided.
  package var decision: Decision
  /// Who decided it, as they say themselves.
  package var by: String
  /// When, as ``Timestamp`` writes it.
  package var time: String
  /// Why.
  package var reason: String?
  /// The ``Envelope/digest`` of the request.
  package var requestDigest: String
  /// The digest of the job.json that the request's steps come from; `nil` for a request that needs none.
  package var definitionDigest: String?

  /// A decision of this moment.
  package init(
    _ decision: Decision, by: String, reason: String? = nil, requestDigest: String, definitionDigest: String? = nil
  ) {
    self.decision = decision
    self.by = by
    time = Timestamp.now.description
    self.reason = reason
    self.requestDigest = requestDigest
    self.definitionDigest = definitionDigest
  }

  /// Who and when and why, as words behind "approved" or "rejected". What they hold is foreign text, escaped.
  package var circumstances: String {
    "by \(by.escaped(upTo: 200)) at \(time.escaped)" + (reason.map { ": \($0.escaped(upTo: 500))" } ?? "")
  }
}

/// Which jobs are begun only once somebody has approved their request.
package enum ApprovalDemand: Sendable {
  /// Those whose job.json says so (`requireApproval`).
  case whereTheJobSaysSo
  /// All of them.
  case always
}
