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
