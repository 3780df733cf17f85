/// The line in a log that replaces the output above the log's limit.
///
/// Such a log holds the first half of its limit, this line, and the newest output in the other half.
package struct DroppedOutput: Sendable, Equatable {
  /// The line's length in bytes, enough for the largest numbers.
  package static let length: Int64 = 128
  private static let words = ("\n[", " bytes of output were dropped here: the log's limit is ", " bytes]")

  /// The number of dropped bytes.
  package let count: Int64
  /// The limit of the log.
  package let limit: Int64

  /// A line for `count` dropped bytes.
  package init(count: Int64, limit: Int64) {
    self.count = count
    self.limit = limit
  }

  /// The line's offset in a log with this limit: behind the first half.
  package static func offset(limit: Int64) -> Int64 { limit / 2 }

  /// Reads the line at its offset in a log of `size` bytes; `nil` if something else is there.
  package init?(_ bytes: [UInt8], inLogOf size: Int64) {
    let (start, middle, end) = DroppedOutput.words
    guard bytes.count == DroppedOutput.length, let text = String(validating: bytes, as: UTF8.self),
      text.hasPrefix(start), let between = text.firstRange(of: middle), let last = text.firstRange(of: end),
      between.upperBound <= last.lowerBound,
      let count = Int64(text[text.index(text.startIndex, offsetBy: start.count)..<between.lowerBound]),
      let limit = Int64(text[between.upperBound..<last.lowerBound]), limit == size - DroppedOutput.length, count > 0
    else { return nil }
    self.init(count: count, limit: limit)
  }

  /// The line: ``length`` bytes, filled up with spaces.
  package var line: [UInt8] {
    let (start, middle, end) = DroppedOutput.words
    let text = "\(start)\(count)\(middle)\(limit)\(end)"
    return Array((text + String(repeating: " ", count: max(0, Int(Self.length) - 1 - text.utf8.count)) + "\n").utf8)
  }

  /// The offset at which a reader continues that has read `position` bytes of the output while the log grew: behind
  /// what it has read, if the log still holds that; otherwise at this line.
  ///
  /// A step can write such a line itself, with any numbers. The arithmetic must not overflow.
  package func resume(after position: Int64) -> Int64 {
    let head = DroppedOutput.offset(limit: limit)
    if position <= head { return position }
    let behindHead = position - head
    return behindHead < count ? head : head + DroppedOutput.length + (behindHead - count)
  }
}
