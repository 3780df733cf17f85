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
    let two = { (number: Int32) in String(number, width: 2) }
    let date = "\(String(Int(parts.tm_year) + 1900, width: 4))-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    return "\(date)T\(clock).\(String(milliseconds, width: 3))Z"
  }

  /// Earlier before later.
  package static func < (a: Timestamp, b: Timestamp) -> Bool {
    a.millisecondsSince1970 < b.millisecondsSince1970
  }
}

extension Int64 {
  /// Rounded down also below 0: the remainder is never negative.
  fileprivate func flooredQuotientAndRemainder(dividingBy divisor: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}

/// Why a duration is refused, as a sentence.
package struct InvalidDuration: Error, Sendable, Equatable, CustomStringConvertible {
  /// The sentence.
  package let description: String
}

extension Duration {
  /// The longest duration that a job or an option may name: 3650 days.
  static let longestForJobs = Duration.seconds(3650 * 86400)

  /// A duration as jobs and options write it: `90s`, `10m`, `1h30m`, `7d`, `500ms`, or a number of seconds (`1.5`).
  ///
  /// Units go from large to small, each at most once; fractions of a millisecond are rounded. Throws
  /// ``InvalidDuration`` for anything else, for less than 1 ms, and for more than ``longestForJobs``.
  package init(jobText text: String) throws(InvalidDuration) {
    guard let seconds = secondsInJobText(text[...]) else {
      let isNegative = text.hasPrefix("-") && secondsInJobText(text.dropFirst()) != nil
      let fault = isNegative ? "is not more than 0" : "is not a duration"
      throw InvalidDuration(description: "\(text.quoted) \(fault); \(howToWrite)")
    }
    try self.init(jobSeconds: seconds, written: text.quoted)
  }

  /// A duration from a number of seconds; `written` is the sender's text, for the error.
  package init(jobSeconds seconds: Double, written: String) throws(InvalidDuration) {
    guard seconds > 0 else {
      throw InvalidDuration(description: "\(written) is not more than 0; \(howToWrite)")
    }
    guard seconds >= 0.001 else {
      throw InvalidDuration(description: "\(written) is too short; at least 1ms is expected")
    }
    guard seconds <= Duration.longestForJobs / .seconds(1) else {
      throw InvalidDuration(
        description: "\(written) is too long; at most \(Duration.longestForJobs.jobText) is expected")
    }
    self = .milliseconds(Int64((seconds * 1000).rounded()))
  }

  /// The duration as ``init(jobText:)`` reads it: `1h30m`, `1s500ms`. Fractions of a millisecond are dropped.
  package var jobText: String {
    let (seconds, attoseconds) = components
    let milliseconds = attoseconds / 1_000_000_000_000_000
    if seconds == 0 {
      return milliseconds == 0 ? "0s" : "\(milliseconds)ms"
    }
    var result = ""
    var rest = seconds
    for (unit, size) in [("d", 86400), ("h", 3600), ("m", 60)] as [(String, Int64)] where rest >= size {
      result += "\(rest / size)\(unit)"
      rest %= size
    }
    if rest > 0 {
      result += "\(rest)s"
    }
    return milliseconds > 0 ? result + "\(milliseconds)ms" : result
  }
}

private let howToWrite = "write it like 90s, 10m, 1h30m or 7d, or as a number of seconds"

/// The seconds in a text; `nil` unless ``Duration/init(jobText:)`` takes such a text.
private func secondsInJobText(_ text: Substring) -> Double? {
  var rest = text.utf8[...]
  var total = 0.0
  var units: [(name: String, seconds: Double)] = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1), ("ms", 0.001)]
  while !rest.isEmpty {
    guard let number = takeNumber(from: &rest) else { return nil }
    let letters = rest.prefix { $0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z") }
    if letters.isEmpty {
      return units.count == 5 && rest.isEmpty ? number : nil
    }
    guard let place = units.firstIndex(where: { letters.elementsEqual($0.name.utf8) }) else { return nil }
    total += number * units[place].seconds
    units.removeSubrange(...place)
    rest = rest.dropFirst(letters.count)
  }
  return units.count == 5 ? nil : total
}

/// Takes a number, with or without a fraction, from the front.
private func takeNumber(from text: inout Substring.UTF8View) -> Double? {
  let isDigit = { (byte: UInt8) in byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
  let start = text
  let whole = text.prefix(while: isDigit)
  guard !whole.isEmpty else { return nil }
  text = text.dropFirst(whole.count)
  var length = whole.count
  if text.first == UInt8(ascii: ".") {
    let fraction = text.dropFirst().prefix(while: isDigit)
    guard !fraction.isEmpty else { return nil }
    text = text.dropFirst(fraction.count + 1)
    length += fraction.count + 1
  }
  return Double(Substring(start.prefix(length)))
}
