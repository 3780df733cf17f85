import Foundation
import TestSupport
import Testing

@testable import Jobs

struct JSONParserTests {
  @Test(arguments: [
    "0", "-0.0", "1.5e-7", "1E+2", "null", "true", "false", #""""#, #""\u0041\ud83d\ude00\/\b\f\n\r\t\"\\""#, "[]",
    "{}",
    " [ 1 , [ ] , { \"a\" : { } } ] ", "\u{FEFF}\"é\u{7F}\u{2028}\"", "{\"\": \"\\u0000\"}",
    String(repeating: "[", count: 64) + String(repeating: "]", count: 64),
  ])
  func whatTheRFCAllowsIsRead(text: String) throws {
    let root = try JSONText(Array(text.utf8)).root
    let foundation = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
    #expect(try canonical(root.asFoundation(in: text)) == canonical(foundation))
  }

  @Test(arguments: [
    ("", 0), ("{", 1), ("[", 1), ("[1", 2), ("[1,", 3), ("[,1]", 1), ("[1,,2]", 3), ("[1,]", 2), ("{\"a\"}", 4),
    ("{\"a\":}", 5), ("{\"a\":1,}", 6), ("{1:2}", 1), ("{,}", 1), ("]", 0), ("}", 0), (":", 0), ("[1}", 2),
    ("{\"a\":1]", 6), ("01", 0), ("-", 0), ("-a", 0), ("+1", 0), (".5", 0), ("1.", 0), ("1.e1", 0), ("1e", 0),
    ("1e+", 0), ("0x1", 1), ("1 2", 2), ("1a", 1), ("nul", 0), ("nulL", 0), ("True", 0), ("NaN", 0), ("-Infinity", 0),
    ("'a'", 0), ("\"a", 0), ("\"\\", 1), ("\"\\\"", 0), ("\"\\a\"", 1), ("\"\\u12\"", 1), ("\"\\u12G4\"", 1),
    ("\"\\uD800\"", 1), ("\"\\uDC00\"", 1), ("\"\\uD800\\u0041\"", 1), ("\"\\uD800\\uD800\"", 1), ("\"\u{1}\"", 1),
    ("\"\t\"", 1), ("\"a\nb\"", 2), ("[1] // x", 4), ("/* x */ 1", 0), ("\u{A0}1", 0), ("1\0", 1), ("\0", 0),
    ("{\"a\":1;\"b\":2}", 6), ("#", 0), ("\u{FEFF}\u{FEFF}1", 3), ("[\u{B}]", 1),
  ])
  func whatTheRFCForbidsIsRefusedWhereItBegins(text: String, offset: Int) throws {
    let error = try #require(throws: JSONError.self) { try JSONText(Array(text.utf8)) }
    #expect(error.offset == offset)
    #expect(error.predicate.hasPrefix("is not JSON: "))
  }

  @Test(
    arguments: [
      ([0xFF], 0), ([0xC0, 0x80], 0), ([0x22, 0xE9, 0x22], 1), ([0x22, 0xED, 0xA0, 0x80, 0x22], 1), ([0x22, 0xC3], 1),
      ([0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], 1), ([0x22, 0x80, 0x22], 1),
    ] as [([UInt8], Int)])
  func invalidUTF8IsRefusedWhereItBegins(bytes: [UInt8], offset: Int) throws {
    let error = try #require(throws: JSONError.self) { try JSONText(bytes) }
    #expect(error.offset == offset)
    #expect(error.predicate.hasPrefix("is not UTF-8: the byte 0x"))
  }

  @Test(arguments: ["[", "{\"a\":", "[{\"a\":", "[[],"])
  func depthOfTenThousandIsRefusedAndNothingBreaks(opening: String) throws {
    let text = Array(String(repeating: opening, count: 10_000).utf8)
    let error = try #require(throws: JSONError.self) { try JSONText(text) }
    #expect(error.predicate == "is nested more than 64 deep")
  }

  @Test func numberOfValuesIsLimited() throws {
    let text = Array("[1,{\"a\":2},3]".utf8)
    _ = try JSONText(text, limits: JSONLimits(values: 5))
    let error = try #require(throws: JSONError.self) { try JSONText(text, limits: JSONLimits(values: 4)) }
    #expect(error.predicate == "holds more than 4 values")
    #expect(error.offset == 11)
  }

  @Test(arguments: ["\"a\":1,\"a\":2", "\"a\":1,\"\\u0061\":2", "\"\":1,\"\":2", "\"\u{E9}\":1,\"e\u{301}\":2"])
  func keyThatStandsTwiceIsNoticedAtEveryDepthAndSize(members: String) throws {
    let filler = (0..<100).map { "\"k\($0)\":0," }.joined()
    for text in ["{\(members)}", "{\(filler)\(members)}", "[0,{\"x\":[{\(members)}]}]"] {
      #expect(try JSONText(Array(text.utf8)).duplicate != nil)
    }
  }

  @Test func sameKeyInDifferentObjectsIsNotADuplicate() throws {
    #expect(try JSONText(Array("{\"a\":{\"a\":[{\"a\":1},{\"a\":1}]},\"A\":1}".utf8)).duplicate == nil)
  }

  @Test func randomTreesAreReadAsFoundationReadsThem() throws {
    var random = SeededRandom(seed: 7)
    for _ in 0..<500 {
      let tree = randomTree(depth: 5, using: &random)
      let data = try JSONSerialization.data(
        withJSONObject: tree,
        options: Bool.random(using: &random) ? [.prettyPrinted, .fragmentsAllowed] : .fragmentsAllowed)
      let text = String(decoding: data, as: UTF8.self)
      let expected = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
      #expect(try canonical(JSONText(Array(data)).root.asFoundation(in: text)) == canonical(expected), "\(text)")
    }
  }

  private func canonical(_ tree: Any) throws -> String {
    let data = try JSONSerialization.data(withJSONObject: tree, options: [.sortedKeys, .fragmentsAllowed])
    return String(decoding: data, as: UTF8.self)
  }

  private func randomTree(depth: Int, using random: inout SeededRandom) -> Any {
    switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &random) {
    case 0: return NSNull()
    case 1: return Bool.random(using: &random)
    case 2: return Int.random(in: -1_000_000...1_000_000, using: &random)
    case 3: return Double.random(in: -1e6...1e6, using: &random)
    case 4: return randomString(using: &random)
    case 5, 6:
      return (0..<Int.random(in: 0...5, using: &random)).map { _ in randomTree(depth: depth - 1, using: &random) }
    default:
      var object: [String: Any] = [:]
      for _ in 0..<Int.random(in: 0...12, using: &random) {
        object[randomString(using: &random)] = randomTree(depth: depth - 1, using: &random)
      }
      return object
    }
  }

  private func randomString(using random: inout SeededRandom) -> String {
    let alphabet: [Character] = ["a", "b", "\"", "\\", "/", "\n", "\0", "\u{1F}", "é", "\u{2028}", "😀", "漢", " "]
    return String((0..<Int.random(in: 0...8, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
  }
}

extension JSONValue {
  /// The tree in the types of JSONSerialization, to compare the two readers.
  fileprivate func asFoundation(in text: String) -> Any {
    switch content {
    case .null: return NSNull()
    case .bool(let bool): return NSNumber(value: bool)
    case .number(let end):
      return NSNumber(value: Double(String(decoding: Array(text.utf8)[offset..<end], as: UTF8.self))!)
    case .string(let string): return string
    case .array(let elements): return elements.map { $0.asFoundation(in: text) }
    case .object(let members):
      return Dictionary(members.map { ($0.key, $0.value.asFoundation(in: text)) }, uniquingKeysWith: { $1 })
    }
  }
}
