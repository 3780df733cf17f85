import Testing

@testable import Jobs

struct JSONTextTests {
  @Test(arguments: [
    ("abc", 0, 1, 1), ("abc", 2, 1, 3), ("abc", 3, 1, 4), ("abc", 99, 1, 4), ("", 0, 1, 1), ("a\nb", 1, 1, 2),
    ("a\nb", 2, 2, 1), ("a\r\nb", 3, 2, 1), ("\n\n\n", 3, 4, 1), ("é漢😀x", 9, 1, 4), ("a\né\nxéy", 8, 3, 3),
    ("\u{FEFF}ab", 3, 1, 1), ("\u{FEFF}ab", 4, 1, 2), ("\u{FEFF}a\nb", 5, 2, 1),
  ])
  func placeIsCountedInLinesAndCharacters(text: String, offset: Int, line: Int, column: Int) {
    let position = JSONPosition(of: offset, in: Array(text.utf8))
    #expect("\(position)" == "line \(line), column \(column)")
  }

  @Test func everyValueKnowsWhereItBegins() throws {
    let text = try JSONText(Array("{\"a\":\n  [1, {\"b\": \"x\"}]}".utf8))
    guard case .object(let members) = text.root.content, case .array(let elements) = members[0].value.content,
      case .object(let inner) = elements[1].content
    else {
      Issue.record("the tree is not that of the text")
      return
    }
    let offsets = [
      text.root.offset, members[0].keyOffset, members[0].value.offset, elements[0].offset, inner[0].value.offset,
    ]
    #expect(
      offsets.map { "\(JSONPosition(of: $0, in: text.bytes))" } == [
        "line 1, column 1", "line 1, column 2", "line 2, column 3", "line 2, column 4", "line 2, column 13",
      ])
  }

  @Test(arguments: [
    ("null", "null"), ("true", "true"), ("false", "false"), ("-1.50", "-1.50"), ("\"x\"", "a string"),
    ("[1]", "an array"),
    ("{}", "an object"), ("0.0000000000000000000000001", "a number"),
  ])
  func valueIsNamedForASentence(text: String, kind: String) throws {
    let text = try JSONText(Array(text.utf8))
    #expect(text.kind(of: text.root) == kind)
  }
}
