package import Jobs
import SystemPackage

/// A result that the broker refused, as it is kept on the volume: any worker of its topic filter can publish it exactly
/// as its own worker would have.
package struct UndeliveredResult: Codable, Sendable {
  /// The payload.
  package let message: ResultMessage
  /// The request that it answers, without Response Topic once the sender has its answer.
  package let envelope: Envelope
  /// The event to publish after the result.
  package let ending: JobEvent
  /// The broker's last answer.
  package var reason: String

  package init(_ message: ResultMessage, answering envelope: Envelope, ending: JobEvent, _ refusal: Undeliverable) {
    self.message = message
    self.envelope = envelope.afterAnswer(refusal)
    self.ending = ending
    reason = "\(refusal)"
  }

  /// Reads the content of a file for the job `id`; `nil` if it is of another job, or no result.
  package init?(json: [UInt8], of id: JobID) {
    guard let result = decodedJSON(UndeliveredResult.self, json), result.message.id == id,
      result.ending.id == id
    else { return nil }
    self = result
  }
}

/// The broker refused a result while the connection works: an immediate retry would get the same answer.
package struct Undeliverable: Error, CustomStringConvertible {
  /// The broker's error.
  package let cause: any Error
  /// Whether the sender has its answer on its Response Topic.
  package let senderIsAnswered: Bool

  /// A result that was refused because of `cause`.
  package init(cause: any Error, senderIsAnswered: Bool) {
    self.cause = cause
    self.senderIsAnswered = senderIsAnswered
  }

  /// A sentence for the user.
  package var description: String { "\(cause)" }
}

extension Envelope {
  fileprivate func afterAnswer(_ refusal: Undeliverable) -> Envelope {
    var envelope = self
    if refusal.senderIsAnswered { envelope.responseTopic = nil }
    return envelope
  }
}
