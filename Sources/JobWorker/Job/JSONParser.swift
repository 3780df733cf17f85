/// Reads bytes into a ``JSONText``'s tree, in one pass, by recursive descent.
///
/// The depth is limited, so the stack is too.
struct JSONParser {
  /// The byte order mark, which RFC 8259 section 8.1 lets a reader ignore.
  static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

  private let bytes: [UInt8]
  private let limits: JSONLimits
  private var index = 0
  private var depth = 0
  private var values = 0
  private(set) var duplicate: JSONDuplicate?

  init(bytes: [UInt8], limits: JSONLimits) {
    self.bytes = bytes
    self.limits = limits
  }

  /// The value of the whole text.
  mutating func text() throws(JSONError) -> JSONValue {
    // Its mark, or two characters of ASCII with a 0 in each: no JSON in UTF-8 begins so.
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
      || bytes.prefix(4).count(where: { $0 == 0 }) > 1
    {
      throw JSONError(offset: 0, predicate: "is not UTF-8 but UTF-16 or the like; save it as UTF-8")
    }
    do {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      let offset = error.byteOffsets.lowerBound
      let byte = String(bytes[offset], radix: 16, uppercase: true)
      throw JSONError(offset: offset, predicate: "is not UTF-8: the byte 0x\(byte) is out of place")
    }
    if bytes.starts(with: JSONParser.mark) {
      index = 3
    }
    let root = try value()
    skipWhitespace()
    if index < bytes.count {
      throw notJSON("it goes on after its end with \(found)")
    }
    return root
  }

  private mutating func value() throws(JSONError) -> JSONValue {
    skipWhitespace()
    values += 1
    if values > limits.values {
      throw JSONError(offset: index, predicate: "holds more than \(limits.values) values")
    }
    let start = index
    switch peek {
    case UInt8(ascii: "{"): return JSONValue(offset: start, content: .object(try object()))
    case UInt8(ascii: "["): return JSONValue(offset: start, content: .array(try array()))
    case UInt8(ascii: "\""): return JSONValue(offset: start, content: .string(try string()))
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      try number()
      return JSONValue(offset: start, content: .number(end: index))
    default:
      if skip("true") { return JSONValue(offset: start, content: .bool(true)) }
      if skip("false") { return JSONValue(offset: start, content: .bool(false)) }
      if skip("null") { return JSONValue(offset: start, content: .null) }
      throw notJSON("a value is expected, not \(found)")
    }
  }

  private mutating func object() throws(JSONError) -> [JSONMember] {
    try enter()
    var members: [JSONMember] = []
    skipWhitespace()
    if peek == UInt8(ascii: "}") {
      leave()
      return members
    }
    while true {
      skipWhitespace()
      let keyOffset = index
      guard peek == UInt8(ascii: "\"") else {
        throw notJSON("a key in double quotes is expected, not \(found)")
      }
      let key = try string()
      skipWhitespace()
      guard peek == UInt8(ascii: ":") else {
        throw notJSON("a \":\" is expected after the key \(key.quoted), not \(found)")
      }
      index += 1
      members.append(JSONMember(key: key, keyOffset: keyOffset, value: try value()))
      if try ended(by: "}") {
        noteDuplicate(in: members)
        return members
      }
    }
  }

  private mutating func array() throws(JSONError) -> [JSONValue] {
    try enter()
    var elements: [JSONValue] = []
    skipWhitespace()
    if peek == UInt8(ascii: "]") {
      leave()
      return elements
    }
    while true {
      elements.append(try value())
      if try ended(by: "]") {
        return elements
      }
    }
  }

  private mutating func enter() throws(JSONError) {
    depth += 1
    if depth > limits.depth {
      throw JSONError(offset: index, predicate: "is nested more than \(limits.depth) deep")
    }
    index += 1
  }

  private mutating func leave() {
    depth -= 1
    index += 1
  }

  /// Passes the comma before the next element (`false`), or the bracket that ends them (`true`).
  private mutating func ended(by bracket: Unicode.Scalar) throws(JSONError) -> Bool {
    skipWhitespace()
    if peek == UInt8(ascii: bracket) {
      leave()
      return true
    }
    guard peek == UInt8(ascii: ",") else {
      throw notJSON("a \",\" or \"\(bracket)\" is expected, not \(found)")
    }
    let comma = index
    index += 1
    skipWhitespace()
    if peek == UInt8(ascii: bracket) {
      index = comma
      throw notJSON("a \",\" may not stand before \"\(bracket)\"")
    }
    return false
  }

  /// Keys are compared as `String`s are, by canonical equivalence: two that a dictionary takes for one count as one.
  private mutating func noteDuplicate(in members: [JSONMember]) {
    guard duplicate == nil, members.count > 1 else { return }
    if members.count <= 8 {
      for second in members.indices.dropFirst() {
        for first in members[..<second] where first.key == members[second].key {
          duplicate = JSONDuplicate(key: first.key, first: first.keyOffset, second: members[second].keyOffset)
          return
        }
      }
      return
    }
    var seen: [String: Int] = [:]
    seen.reserveCapacity(members.count)
    for member in members {
      if let first = seen.updateValue(member.keyOffset, forKey: member.key) {
        duplicate = JSONDuplicate(key: member.key, first: first, second: member.keyOffset)
        return
      }
    }
  }
}

// Strings, numbers, and what stands between them.
extension JSONParser {
  private mutating func string() throws(JSONError) -> String {
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

  private mutating func number() throws(JSONError) {
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

  private mutating func skipWhitespace() {
    while peek == 0x20 || peek == 0x0A || peek == 0x0D || peek == 0x09 { index += 1 }
  }

  private mutating func skip(_ word: StaticString) -> Bool {
    let end = index + word.utf8CodeUnitCount
    guard end <= bytes.count else { return false }
    let matches = word.withUTF8Buffer { bytes[index..<end].elementsEqual($0) }
    if matches { index = end }
    return matches
  }

  /// The byte at the index; at the end a NUL, which no part of JSON begins with either.
  private var peek: UInt8 {
    index < bytes.count ? bytes[index] : 0
  }

  /// What stands at the index, for a sentence: the end, a word, or a character.
  private var found: String {
    if index >= bytes.count { return "the end of the text" }
    let isLetter = { (byte: UInt8) in Character(Unicode.Scalar(byte)).isLetter && byte < 0x80 }
    if isLetter(peek) {
      return String(decoding: bytes[index...].prefix(24).prefix(while: isLetter), as: UTF8.self).quoted
    }
    // The text is known to be UTF-8, and the index to be at the start of a character.
    return String(decoding: bytes[index...].prefix(4), as: UTF8.self).unicodeScalars.first?.named ?? ""
  }

  private func notJSON(_ reason: String, at offset: Int? = nil) -> JSONError {
    JSONError(offset: offset ?? index, predicate: "is not JSON: \(reason)")
  }
}
