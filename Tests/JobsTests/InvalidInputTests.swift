import Testing

@testable import Jobs

struct InvalidInputTests {
  @Test(arguments: [
    ("", #""""#), ("a", #""a""#), ("a\"b\\c", #""a\"b\\c""#), ("a\r\n\tb", #""a\u{000D}\n\tb""#),
    ("\u{1B}[2J", #""\u{001B}[2J""#),
    ("\u{202E}x", #""\u{202E}x""#), ("é漢😀", #""é漢😀""#), ("\u{E0041}", #""\u{E0041}""#), ("\u{2028}", #""\u{2028}""#),
    (String(repeating: "a", count: 64), "\"\(String(repeating: "a", count: 64))\""),
    (String(repeating: "a", count: 65), "\"\(String(repeating: "a", count: 64))…\""),
  ])
  func foreignTextIsClippedAndCannotActOnATerminal(text: String, quoted: String) {
    #expect(text.quoted == quoted)
  }

  @Test func sentenceIsWhatIsPrinted() throws {
    let refusal = InvalidInput(id: try JobID("a"), description: "it is wrong")
    #expect("\(refusal)" == "it is wrong")
    #expect(refusal.id?.text == "a")
  }
}
