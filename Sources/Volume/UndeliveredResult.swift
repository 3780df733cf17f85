private import FoundationEssentials
package import Jobs

/// A result that the broker does not take, as it lies on the volume until it does: what is needed to publish it exactly as it
/// would have been, by any worker of its kind.
package struct UndeliveredResult: Codable, Sendable {
  /// The payload.
  package let message: ResultMessage
  /// The request that it answers. Without Response Topic once the sender has its answer.
  package let envelope: Envelope
  /// What is told when the result is out.
  package let ending: JobEvent
  /// What the broker said last.
  package var reason: String

  package init(_ message: ResultMessage, answering envelope: Envelope, ending: JobEvent, _ refusal: Undeliverable) {
    self.message = message
    self.envelope = envelope.afterAnswer(refusal)
    self.ending = ending
    reason = "\(refusal)"
  }

  /// What a file says that is called after the job `id`; `nil` when it is about another, or no result at all.
  package init?(json: [UInt8], of id: JobID) {
    guard let result = try? JSONDecoder().decode(UndeliveredResult.self, from: Data(json)), result.message.id == id,
      result.ending.id == id
    else { return nil }
    self = result
  }

  /// The file's content.
  package var encoded: [UInt8] {
    get throws { try compactJSON(self) + [UInt8(ascii: "\n")] }
  }
}

/// One result is not taken, while all is well with the connection: whoever tries again at once hears the same.
package struct Undeliverable: Error, CustomStringConvertible {
  /// What the source said.
  package let cause: any Error
  /// Whether the sender has its answer where it waits for it.
  package let senderIsAnswered: Bool

  /// A result that is not taken because of `cause`.
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

/// What the name of a file of an undelivered result says: `<next try>.<tries>.<job>.json`, and behind it the mark of the worker
/// that tries now, if one does. So all that are due are found without reading any.
package struct UndeliveredName: Sendable {
  /// The first delay between two tries, and the longest; each is twice the one before.
  package static let delays = (first: Duration.seconds(2), longest: Duration.seconds(600))

  /// A number that no worker reaches.
  private static let mostTries = 1_000_000

  /// When it is tried next, in nanoseconds on the volume's clock.
  package let next: Int64
  /// How often it was tried.
  package let tries: Int
  package let id: JobID
  /// Whether somebody tries now, or died over it.
  package let isHeld: Bool
  package let text: String

  /// The name after `tries` tries, the last of them at `moment`.
  package init(_ id: JobID, tries: Int, at moment: Int64) {
    let delay = UndeliveredName.delay(after: tries)
    let (sum, isTooLarge) = moment.addingReportingOverflow(Int64(delay / .nanoseconds(1)))
    next = isTooLarge ? .max : sum
    self.tries = tries
    self.id = id
    isHeld = false
    text = "\(next).\(tries).\(id).json"
  }

  private static func delay(after tries: Int) -> Duration {
    min(delays.first * (1 << min(max(tries - 1, 0), 20)), delays.longest)
  }

  /// How long the time from the last try to the next is.
  package var delay: Duration { UndeliveredName.delay(after: tries) }

  /// `nil` for other names.
  package init?(_ text: String) {
    let parts = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let next = Int64(parts[0]), let tries = Int(parts[1]),
      0..<UndeliveredName.mostTries ~= tries
    else { return nil }
    var rest = parts[2]
    isHeld = !rest.hasSuffix(".json")
    if isHeld {
      guard let mark = rest.firstRange(of: ".json~")?.lowerBound else { return nil }
      rest = rest[..<mark]
    } else {
      rest = rest.dropLast(5)
    }
    guard let id = try? JobID(String(rest)) else { return nil }
    self.next = next
    self.tries = tries
    self.id = id
    self.text = text
  }

  /// Whether it is time, at `moment`. One that lies further ahead than any try was named before the clock was set back.
  package func isDue(at moment: Int64) -> Bool {
    let (left, isFar) = next.subtractingReportingOverflow(moment)
    return left <= 0 || isFar || .nanoseconds(left) > UndeliveredName.delays.longest
  }

  /// The same, as the worker holds it that made `mark`.
  package func held(by mark: String) -> String { "\(unheld)~\(mark)" }

  /// The same, as nobody holds it.
  var unheld: String { isHeld ? "\(next).\(tries).\(id).json" : text }
}
