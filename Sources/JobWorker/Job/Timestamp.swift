internal import FoundationEssentials

/// A moment of the wall clock, to the millisecond, as JSON writes it: `2026-01-31T09:30:00.125Z`.
///
/// ISO 8601 in UTC with exactly three decimals, the form of ECMAScript's `Date.prototype.toISOString`. For people and
/// logs only: durations are measured on the monotonic clock.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds (clock_gettime(2), CLOCK_REALTIME).
  public let millisecondsSince1970: Int64

  /// A moment from its count of milliseconds.
  public init(millisecondsSince1970: Int64) {
    self.millisecondsSince1970 = millisecondsSince1970
  }

  /// The moment that the wall clock shows.
  public static var now: Timestamp {
    Timestamp(millisecondsSince1970: Int64((Date.now.timeIntervalSince1970 * 1000).rounded(.down)))
  }

  /// The moment as JSON writes it.
  public var description: String {
    let milliseconds = millisecondsSince1970.dividedDown(by: 86_400_000)
    let date = civilDate(daysSince1970: milliseconds.quotient)
    let rest = milliseconds.remainder
    return padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2)
      + "T" + padded(rest / 3_600_000, 2) + ":" + padded(rest / 60_000 % 60, 2) + ":" + padded(rest / 1000 % 60, 2)
      + "." + padded(rest % 1000, 3) + "Z"
  }

  /// Earlier moments come first.
  public static func < (a: Timestamp, b: Timestamp) -> Bool {
    a.millisecondsSince1970 < b.millisecondsSince1970
  }
}

/// The proleptic Gregorian date of a day, counted in 400-year eras of 146,097 days that begin on a first of March, so
/// that the leap day is a year's last.
private func civilDate(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
  let (era, dayOfEra) = (daysSince1970 + 719_468).dividedDown(by: 146_097)
  let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
  let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
  let monthFromMarch = (5 * dayOfYear + 2) / 153
  let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
  return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
}

private func padded(_ number: Int64, _ width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

extension Int64 {
  /// Division that rounds toward negative infinity, so that moments before 1970 have a remainder that is not negative.
  fileprivate func dividedDown(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
