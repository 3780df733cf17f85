private import FoundationEssentials

/// A moment of the wall clock, to the millisecond, as JSON writes it: `2026-01-31T09:30:00.125Z`.
///
/// ISO 8601 in UTC with exactly three decimals, the form of ECMAScript's `Date.prototype.toISOString`. For people and
/// logs only: durations are measured on the monotonic clock.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
  public let millisecondsSince1970: Int64

  /// A moment from its count of milliseconds.
  public init(millisecondsSince1970: Int64) {
    self.millisecondsSince1970 = millisecondsSince1970
  }

  /// A moment as JSON writes it; `nil` for other texts.
  public init?(_ text: String) {
    guard let date = try? Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(text) else { return nil }
    millisecondsSince1970 = Int64((date.timeIntervalSince1970 * 1000).rounded())
  }

  /// The moment that the wall clock shows.
  public static var now: Timestamp {
    Timestamp(millisecondsSince1970: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
  }

  /// The moment as JSON writes it.
  public var description: String {
    // Half a millisecond more, so that what a Double cannot hold exactly is not cut to the one before.
    Date(timeIntervalSince1970: (Double(millisecondsSince1970) + 0.5) / 1000)
      .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }

  /// Earlier before later.
  public static func < (a: Timestamp, b: Timestamp) -> Bool {
    a.millisecondsSince1970 < b.millisecondsSince1970
  }
}
