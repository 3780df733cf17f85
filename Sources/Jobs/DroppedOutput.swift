/// The line that stands in a log in place of the output which went over the log's limit.
///
/// A log of that kind holds the first half of its limit, this line, and the newest output, which fills the other half.
package struct DroppedOutput: Sendable, Equatable {
  /// The line's length in bytes: room for the largest numbers.
  package static let length: Int64 = 128
  private static let words = ("\n[", " bytes of output were dropped here: the log's limit is ", " bytes]")

  /// How many bytes are not there.
  package let count: Int64
  /// The limit of the log.
  package let limit: Int64

  /// A line that tells of `count` dropped bytes.
  package init(count: Int64, limit: Int64) {
    self.count = count
    self.limit = limit
  }

  /// Where the line begins in a log with this limit, after the first half.
  package static func offset(limit: Int64) -> Int64 { limit / 2 }

  /// Reads the line at its place in a log of `size` bytes. `nil` when something else stands there.
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

  /// Where in the log to go on for a reader that has read `position` bytes of the output while the log grew: behind what
  /// it has, if the log still holds that; else this line, and all that follows.
  ///
  /// A step can write such a line itself, with any figures: one that tells of more than a file can hold tells of nothing that
  /// has been read.
  package func resume(after position: Int64) -> Int64 {
    let head = DroppedOutput.offset(limit: limit)
    if position <= head { return position }
    let behindHead = position - head
    return behindHead < count ? head : head + DroppedOutput.length + (behindHead - count)
  }
}
