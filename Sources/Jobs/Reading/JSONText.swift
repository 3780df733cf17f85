/// A JSON text (RFC 8259) as a tree that knows where each value was written.
///
/// UTF-8 with or without a byte order mark; nothing beyond the RFC is accepted (no comments, trailing commas, NaN, or
/// unpaired surrogates). A duplicate key does not end the reading: it is kept in `duplicate`, so that the caller can
/// still read the job's id for its answer.
package struct JSONText {
  /// The text itself; offsets in the tree count its bytes.
  let bytes: [UInt8]

  /// The value of the text.
  package let root: JSONValue

  /// The first duplicate key, if there is one.
  let duplicate: JSONDuplicate?

  /// Reads a text. Throws at the place where it stops being JSON, or exceeds `limits`.
  package init(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
    var parser = JSONParser(bytes: bytes, limits: limits)
    self.bytes = bytes
    self.root = try parser.text()
    self.duplicate = parser.duplicate
  }

  /// The number as it was written.
  func number(_ value: JSONValue, end: Int) -> String {
    String(decoding: bytes[value.offset..<end], as: UTF8.self)
  }

  /// A value for a sentence: numbers as written, everything else by its kind.
  func kind(of value: JSONValue) -> String {
    switch value.content {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .number(let end):
      let written = number(value, end: end)
      return written.utf8.count > 24 ? "a number" : written
    case .string: return "a string"
    case .array: return "an array"
    case .object: return "an object"
    }
  }
}

/// A value of a JSON text, and where it begins.
package struct JSONValue {
  enum Content {
    case null
    case bool(Bool)
    /// Kept as written (RFC 8259 leaves its precision open): from the value's offset to `end`.
    case number(end: Int)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])
  }

  let offset: Int
  let content: Content
}

extension JSONValue {
  /// The value of a key in an object.
  package subscript(key: String) -> JSONValue? {
    guard case .object(let members) = content else { return nil }
    return members.first { $0.key == key }?.value
  }

  package var string: String? {
    if case .string(let text) = content { text } else { nil }
  }
}

/// A key and its value, in the order of the text.
struct JSONMember {
  let key: String
  let keyOffset: Int
  let value: JSONValue
}

/// A key that an object has twice, and both offsets.
struct JSONDuplicate {
  let key: String
  let first: Int
  let second: Int
}

/// The limits of a text.
package struct JSONLimits {
  var depth = 64
  var values = 1_000_000
}

/// Why a text was not read: a predicate (“is not JSON: …”) and the offset at which it holds.
package struct JSONError: Error {
  let offset: Int
  let predicate: String
}

/// A position in a text for people: lines end with LF, columns count characters; both from 1.
struct JSONPosition: Equatable, Sendable, CustomStringConvertible {
  let line: Int
  let column: Int

  /// The place of `offset` in `bytes`; a byte order mark takes no column.
  init(of offset: Int, in bytes: [UInt8]) {
    let before = bytes[..<min(offset, bytes.count)]
    let lineStart =
      before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? (before.starts(with: JSONParser.mark) ? 3 : 0)
    line = 1 + before.count { $0 == UInt8(ascii: "\n") }
    // Count the first byte of each character, not the continuation bytes (0b10xxxxxx).
    column = 1 + before[lineStart...].count { $0 & 0xC0 != 0x80 }
  }

  private init(line: Int, column: Int) {
    (self.line, self.column) = (line, column)
  }

  /// The place of `offset`, counted on from that of `start`: a text with many faults is read once only.
  func advanced(from start: Int, to offset: Int, in bytes: [UInt8]) -> JSONPosition {
    var (line, column) = (line, column)
    for byte in bytes[start..<offset] {
      if byte == UInt8(ascii: "\n") {
        (line, column) = (line + 1, 1)
      } else if byte & 0xC0 != 0x80 {
        column += 1
      }
    }
    return JSONPosition(line: line, column: column)
  }

  var description: String { "line \(line), column \(column)" }
}
