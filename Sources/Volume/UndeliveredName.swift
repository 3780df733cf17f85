package import Jobs
import SystemPackage

/// The file name of an undelivered result: `<next try>.<tries>.<job>.json`, followed by the mark of a worker that tries
/// it now. So the results that are due can be found without reading any.
package struct UndeliveredName: Sendable {
  /// The first and the longest delay between two tries; each delay is twice the one before.
  package static let delays = (first: Duration.seconds(2), longest: Duration.seconds(600))

  /// An upper limit that no worker reaches.
  private static let mostTries = 1_000_000

  /// The time of the next try, in nanoseconds on the volume's clock.
  package let next: Int64
  /// The number of tries.
  package let tries: Int
  package let id: JobID
  /// Whether a worker tries it now, or died while trying.
  package let isHeld: Bool
  package let text: String

  /// The name after `tries` tries, the last one at `moment`.
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

  /// The time from the last try to the next.
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

  /// Whether it is due at `moment`. A time further ahead than any delay was written before the clock was set back: it
  /// is due, too.
  package func isDue(at moment: Int64) -> Bool {
    let (left, isFar) = next.subtractingReportingOverflow(moment)
    return left <= 0 || isFar || .nanoseconds(left) > UndeliveredName.delays.longest
  }

  /// The name while the worker with `mark` holds it.
  package func held(by mark: String) -> String { "\(unheld)~\(mark)" }

  /// The name while nobody holds it.
  var unheld: String { isHeld ? "\(next).\(tries).\(id).json" : text }
}
