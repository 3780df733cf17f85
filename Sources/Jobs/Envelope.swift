private import Crypto

/// A request as it arrived, with its key and the data that an answer needs.
package struct Envelope: Codable, Sendable, Equatable {
  /// The payload, as it was sent.
  package var payload: String
  /// The topic on which it arrived.
  package var topic: String
  /// The idempotency key: the sender's, or one made on arrival.
  package var requestId: RequestID
  /// The topic for the answer (MQTT 5, Response Topic).
  package var responseTopic: String?
  /// The data that the answer returns (MQTT 5, Correlation Data).
  package var correlationData: [UInt8]?
  /// The seconds for which it may wait from its arrival on (MQTT 5, Message Expiry Interval).
  package var expiry: UInt32?
  /// The decision, if the request had to be approved; never part of an arriving message.
  package var approval: Approval?

  /// The run (``ClaimRecord/run``), if a worker had started the request and then deferred it.
  package var run: String?

  /// A request as it arrived.
  package init(
    payload: String, topic: String, requestId: RequestID, responseTopic: String? = nil, correlationData: [UInt8]? = nil,
    expiry: UInt32? = nil
  ) {
    self.payload = payload
    self.topic = topic
    self.requestId = requestId
    self.responseTopic = responseTopic
    self.correlationData = correlationData
    self.expiry = expiry
  }
}

extension Envelope {
  /// The digest of the payload: `sha256:<hex>`.
  package var digest: String { digestText(of: Array(payload.utf8)) }
}

/// The digest of `bytes`: `sha256:<hex>`, with the digits of sha256sum(1).
package func digestText(of bytes: [UInt8]) -> String {
  "sha256:\(String(hexadecimal: SHA256.hash(data: bytes)))"
}

extension String {
  /// Bytes as lower-case hexadecimal digits, two for each.
  package init(hexadecimal bytes: some Sequence<UInt8>) {
    let digits = Array("0123456789abcdef".utf8)
    self.init(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

/// A decision about a request that waits for approval.
///
/// Anybody may have put it beside the request on the volume. It is valid only for the digests that it names: the
/// approver has not seen a request or a job.json with another digest.
package struct Approval: Codable, Sendable, Equatable {
  /// The decision.
  package enum Decision: String, Codable, Sendable {
    /// The request may be run.
    case approved
    /// The request is answered with the status `rejected`.
    case rejected
  }

  /// The decision.
  package var decision: Decision
  /// The approver, by the name that they gave.
  package var by: String
  /// The time, as ``Timestamp`` writes it.
  package var time: String
  /// Why.
  package var reason: String?
  /// The ``Envelope/digest`` of the request.
  package var requestDigest: String
  /// The digest of the job.json that defines the steps; `nil` for a request that needs none.
  package var definitionDigest: String?

  /// A decision made now.
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

  /// The approver, the time and the reason, to follow "approved" or "rejected". Foreign text in them is escaped.
  package var circumstances: String {
    "by \(by.escaped(upTo: 200)) at \(time.escaped)" + (reason.map { ": \($0.escaped(upTo: 500))" } ?? "")
  }
}

/// The jobs that start only after somebody has approved their request.
package enum ApprovalDemand: Sendable {
  /// Jobs whose job.json has `requireApproval`.
  case whereTheJobSaysSo
  /// All jobs.
  case always
}
