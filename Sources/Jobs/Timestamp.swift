private import FoundationEssentials
private import Glibc

/// A moment of the wall clock, to the millisecond, as JSON writes it: `2026-01-31T09:30:00.125Z`.
///
/// ISO 8601 in UTC with exactly three decimals, the form of ECMAScript's `Date.prototype.toISOString`. For people and
/// logs only: durations are measured on the monotonic clock.
package struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
  package let millisecondsSince1970: Int64

  /// A moment from its count of milliseconds.
  package init(millisecondsSince1970: Int64) {
    self.millisecondsSince1970 = millisecondsSince1970
  }

  /// A moment as JSON writes it; `nil` for other texts.
  package init?(_ text: String) {
    guard let date = try? Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(text),
      let milliseconds = Int64(exactly: (date.timeIntervalSince1970 * 1000).rounded())
    else { return nil }
    millisecondsSince1970 = milliseconds
  }

  /// The moment that the wall clock shows.
  package static var now: Timestamp {
    Timestamp(millisecondsSince1970: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
  }

  /// The moment as JSON writes it.
  package var description: String {
    // By the C library: the first date that Foundation writes costs a worker more than its connection to the broker. All that
    // an Int64 of milliseconds reaches is a year that gmtime_r(3) can hold.
    let (seconds, milliseconds) = millisecondsSince1970.flooredQuotientAndRemainder(dividingBy: 1000)
    var time = time_t(seconds)
    var parts = tm()
    gmtime_r(&time, &parts)
    let date =
      "\(digits(Int(parts.tm_year) + 1900, 4))-\(digits(Int(parts.tm_mon) + 1, 2))-\(digits(Int(parts.tm_mday), 2))"
    let clock = "\(digits(Int(parts.tm_hour), 2)):\(digits(Int(parts.tm_min), 2)):\(digits(Int(parts.tm_sec), 2))"
    return "\(date)T\(clock).\(digits(Int(milliseconds), 3))Z"
  }

  /// Earlier before later.
  package static func < (a: Timestamp, b: Timestamp) -> Bool {
    a.millisecondsSince1970 < b.millisecondsSince1970
  }
}

private func digits(_ number: Int, _ width: Int) -> String {
  let text = String(number)
  return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
}

extension Int64 {
  /// Both as for a number line that has no fold at 0: the remainder is never negative.
  fileprivate func flooredQuotientAndRemainder(dividingBy divisor: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
