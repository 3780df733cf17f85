/// Strings, numbers and white space.
extension JSONParser {
  mutating func string() throws(JSONError) -> String {
    let opening = index
    index += 1
    var start = index
    var unescaped: [UInt8] = []
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\""):
        let rest = bytes[start..<index]
        index += 1
        if unescaped.isEmpty {
          return String(decoding: rest, as: UTF8.self)
        }
        return String(decoding: unescaped + rest, as: UTF8.self)
      case UInt8(ascii: "\\"):
        unescaped += bytes[start..<index]
        unescaped += try escape()
        start = index
      case 0..<0x20:
        let name = Unicode.Scalar(bytes[index]).hexadecimal
        let escape = bytes[index] == 0x0A ? "n" : bytes[index] == 0x09 ? "t" : "u\(name)"
        throw notJSON("a string may not hold a raw U+\(name); write \\\(escape)")
      default:
        index += 1
      }
    }
    index = opening
    throw notJSON("the string that begins here has no closing double quote")
  }

  private mutating func escape() throws(JSONError) -> String.UTF8View {
    let start = index
    index += 2
    guard start + 1 < bytes.count else {
      throw notJSON("the text ends within an escape", at: start)
    }
    switch bytes[start + 1] {
    case UInt8(ascii: "\""): return "\"".utf8
    case UInt8(ascii: "\\"): return "\\".utf8
    case UInt8(ascii: "/"): return "/".utf8
    case UInt8(ascii: "b"): return "\u{8}".utf8
    case UInt8(ascii: "f"): return "\u{C}".utf8
    case UInt8(ascii: "n"): return "\n".utf8
    case UInt8(ascii: "r"): return "\r".utf8
    case UInt8(ascii: "t"): return "\t".utf8
    case UInt8(ascii: "u"):
      var code = try fourDigits(escapeStart: start)
      if code & 0xFC00 == 0xD800, skip("\\u") {
        let low = try fourDigits(escapeStart: start)
        if low & 0xFC00 == 0xDC00 {
          code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
        }
      }
      guard let scalar = Unicode.Scalar(code) else {
        throw notJSON("\\u\(String(code, radix: 16, uppercase: true)) is half of a surrogate pair", at: start)
      }
      return String(scalar).utf8
    default:
      index = start + 1
      throw notJSON("a backslash before \(found) is not an escape", at: start)
    }
  }

  private mutating func fourDigits(escapeStart: Int) throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(peek)).hexDigitValue else {
        throw notJSON("\\u takes four hexadecimal digits", at: escapeStart)
      }
      code = code << 4 + UInt32(digit)
      index += 1
    }
    return code
  }

  mutating func number() throws(JSONError) {
    let start = index
    if peek == UInt8(ascii: "-") { index += 1 }
    let whole = skipDigits()
    var good = whole == 1 || (whole > 1 && bytes[index - whole] != UInt8(ascii: "0"))
    if peek == UInt8(ascii: ".") {
      index += 1
      good = skipDigits() > 0 && good
    }
    if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
      index += 1
      if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { index += 1 }
      good = skipDigits() > 0 && good
    }
    if !good {
      let written = String(decoding: bytes[start..<index], as: UTF8.self)
      throw notJSON("\(written.quoted) is not how JSON writes a number", at: start)
    }
  }

  private mutating func skipDigits() -> Int {
    let start = index
    while peek >= UInt8(ascii: "0") && peek <= UInt8(ascii: "9") { index += 1 }
    return index - start
  }

  mutating func skipWhitespace() {
    while peek == 0x20 || peek == 0x0A || peek == 0x0D || peek == 0x09 { index += 1 }
  }

  mutating func skip(_ word: StaticString) -> Bool {
    let end = index + word.utf8CodeUnitCount
    guard end <= bytes.count else { return false }
    let matches = word.withUTF8Buffer { bytes[index..<end].elementsEqual($0) }
    if matches { index = end }
    return matches
  }

  /// The byte at the index; at the end a NUL, with which no part of JSON starts.
  var peek: UInt8 {
    index < bytes.count ? bytes[index] : 0
  }

  /// The text at the index, for a sentence: the end, a word, or a character.
  var found: String {
    if index >= bytes.count { return "the end of the text" }
    let isLetter = { (byte: UInt8) in Character(Unicode.Scalar(byte)).isLetter && byte < 0x80 }
    if isLetter(peek) {
      return String(decoding: bytes[index...].prefix(24).prefix(while: isLetter), as: UTF8.self).quoted
    }
    // The text is valid UTF-8, and the index is at the start of a character.
    return String(decoding: bytes[index...].prefix(4), as: UTF8.self).unicodeScalars.first?.named ?? ""
  }

  func notJSON(_ reason: String, at offset: Int? = nil) -> JSONError {
    JSONError(offset: offset ?? index, predicate: "is not JSON: \(reason)")
  }
}
