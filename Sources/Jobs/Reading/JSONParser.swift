/// Reads bytes into a ``JSONText``'s tree, in one pass, by recursive descent.
///
/// The depth is limited, so the stack is too.
struct JSONParser {
  /// The byte order mark, which RFC 8259 section 8.1 lets a reader ignore.
  static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

  let bytes: [UInt8]
  private let limits: JSONLimits
  var index = 0
  private var depth = 0
  private var values = 0
  private(set) var duplicate: JSONDuplicate?

  init(bytes: [UInt8], limits: JSONLimits) {
    self.bytes = bytes
    self.limits = limits
  }

  /// The value of the whole text.
  mutating func text() throws(JSONError) -> JSONValue {
    // A byte order mark of UTF-16, or two ASCII characters with a 0 in each: no JSON in UTF-8 starts with these.
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

  /// Skips the comma before the next element (`false`), or the closing bracket (`true`).
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

  /// Keys are compared as `String`s, by canonical equivalence: two keys that are equal in a dictionary are duplicates.
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
