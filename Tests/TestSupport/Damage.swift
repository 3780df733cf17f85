/// Valid texts with one to four damaged places, the same for the same seed.
public struct Damage {
  private var random: SeededRandom
  private let seeds: [[UInt8]]

  /// Damages `seeds` with invalid JSON, with pieces of JSON, and with numbers outside all ranges.
  public init(seed: UInt64, seeds: [String]) {
    random = SeededRandom(seed: seed)
    self.seeds = seeds.map { Array($0.utf8) }
  }

  /// Numbers outside all expected ranges, as JSON and as text.
  private let numbers = [
    "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551616", "1099511627776",
    "2147483648", "-1", "0", "1e300", "-1e300", "1e400", "1e-400", "-0.0", "0.5", "256", "NaN", "253402300800",
  ].map { Array($0.utf8) }

  private let bits = [
    "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u0000", "\\ud800", "null", "true", "0", "-1", "1e999", "..", "../",
    "/", "$",
    "+", "#", " ", "\n", "\0", "\"id\":\"a\",", "\"run\":", "[[[[[[[[[[[[[[[[", "\u{43E}", "\u{202E}", "-rf", ".git",
    "=",
  ].map { Array($0.utf8) }

  /// The next damaged text.
  public mutating func next() -> [UInt8] {
    var bytes = seeds[Int.random(in: 0..<seeds.count, using: &random)]
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let start = Int.random(in: 0...bytes.count, using: &random)
      let end = min(bytes.count, start + Int.random(in: 0...4, using: &random))
      switch Int.random(in: 0..<7, using: &random) {
      case 0: bytes.removeSubrange(start..<end)
      case 1: bytes.insert(contentsOf: bytes[start..<end], at: start)
      case 2: bytes.insert(contentsOf: bits[Int.random(in: 0..<bits.count, using: &random)], at: start)
      case 3: bytes.replaceSubrange(start..<end, with: bits[Int.random(in: 0..<bits.count, using: &random)])
      case 4 where start < bytes.count: bytes[start] = UInt8.random(in: 0...255, using: &random)
      case 4: break
      case 5:
        guard let digit = bytes[start...].firstIndex(where: isDigit) else { continue }
        let end = bytes[digit...].firstIndex { !isDigit($0) } ?? bytes.endIndex
        bytes.replaceSubrange(digit..<end, with: numbers[Int.random(in: 0..<numbers.count, using: &random)])
      default:
        // Cuts the end of a value, or of the text.
        if let comma = bytes[start...].firstIndex(of: UInt8(ascii: ",")) {
          bytes.removeSubrange(start..<comma)
        } else {
          bytes.removeSubrange(start...)
        }
      }
    }
    return bytes
  }
}

private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
