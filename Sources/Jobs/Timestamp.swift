private import FoundationEssentials
private import Glibc

/// A wall-clock time in milliseconds, in JSON `2026-01-31T09:30:00.125Z`.
///
/// ISO 8601 in UTC with exactly three decimals, the form of ECMAScript's `Date.prototype.toISOString`. Only for people
/// and logs: durations are measured on the monotonic clock.
package struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
  package let millisecondsSince1970: Int64

  /// A time from its milliseconds since 1970.
  package init(millisecondsSince1970: Int64) {
    self.millisecondsSince1970 = millisecondsSince1970
  }

  /// Reads the JSON form; `nil` for other texts.
  package init?(_ text: String) {
    guard let date = try? Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(text),
      let milliseconds = Int64(exactly: (date.timeIntervalSince1970 * 1000).rounded())
    else { return nil }
    millisecondsSince1970 = milliseconds
  }

  /// The current wall-clock time.
  package static var now: Timestamp {
    Timestamp(millisecondsSince1970: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
  }

  /// The JSON form.
  package var description: String {
    // By gmtime_r(3): the first date that Foundation formats costs a worker more than its connection to the broker. An
    // Int64 of milliseconds never exceeds the range of `tm_year`.
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
  /// Rounded down also below 0: the remainder is never negative.
  fileprivate func flooredQuotientAndRemainder(dividingBy divisor: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
