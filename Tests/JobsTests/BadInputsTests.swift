import Testing

@testable import Jobs

/// An input and the exact answer to its sender. `isAnswered` says whether the answer goes to the job's topic.
struct BadInput: Sendable, CustomTestStringConvertible {
  let text: [UInt8]
  let answer: String
  var isAnswered = true

  init(_ text: String, _ answer: String, isAnswered: Bool = true) {
    self.init(Array(text.utf8), answer, isAnswered: isAnswered)
  }

  init(_ text: [UInt8], _ answer: String, isAnswered: Bool = true) {
    self.text = text
    self.answer = answer
    self.isAnswered = isAnswered
  }

  var testDescription: String { answer }
}

/// FAULTS.md, bad inputs: the rows about the text of a payload or a job.json.
struct BadInputsTests {
  @Test(arguments: notJSON + notAnObject + tooMuch + twice + withoutID + againstTheRule + badFields + badRequestIDs)
  func payloadIsRefusedWithASentence(input: BadInput) throws {
    let refusal = try #require(throws: InvalidInput.self) { _ = try JobRequest(payload: input.text) }
    #expect(refusal.description == input.answer)
    #expect(refusal.id == (input.isAnswered ? try JobID("a") : nil))
  }

  @Test(arguments: badDefinitions)
  func definitionIsRefusedWithASentence(input: BadInput) throws {
    let refusal = try #require(throws: InvalidInput.self) { _ = try JobDefinition(json: input.text) }
    #expect(refusal.description == input.answer)
    #expect(refusal.id == nil)
  }

  @Test(arguments: badFields)
  func definitionIsRefusedForTheSameReasonsAsARequest(input: BadInput) throws {
    let refusal = try #require(throws: InvalidInput.self) { _ = try JobDefinition(json: input.text) }
    #expect(refusal.description == "job.json: " + input.answer)
  }

  // Row 2.
  static let notJSON = [
    BadInput(
      "stop", #"the payload is not JSON: a value is expected, not "stop" (line 1, column 1)"#, isAnswered: false),
    BadInput(
      " \n ", "the payload is not JSON: a value is expected, not the end of the text (line 2, column 2)",
      isAnswered: false),
    BadInput(
      #"{"id": "a""#,
      #"the payload is not JSON: a "," or "}" is expected, not the end of the text (line 1, column 11)"#,
      isAnswered: false),
    BadInput(
      "{\n  \"id\": \"a",
      "the payload is not JSON: the string that begins here has no closing double quote (line 2, column 9)",
      isAnswered: false),
    BadInput(
      #"{"id": "a",}"#, #"the payload is not JSON: a "," may not stand before "}" (line 1, column 11)"#,
      isAnswered: false),
    BadInput(
      "{'id': 'a'}",
      #"the payload is not JSON: a key in double quotes is expected, not "'" (line 1, column 2)"#, isAnswered: false),
    BadInput(
      #"{"id": "a"}{"id": "b"}"#, #"the payload is not JSON: it goes on after its end with "{" (line 1, column 12)"#,
      isAnswered: false),
    BadInput(
      [0x7B, 0x22, 0x69, 0xE9, 0x22], "the payload is not UTF-8: the byte 0xE9 is out of place (line 1, column 4)",
      isAnswered: false),
    BadInput(
      "\u{FEFF}\u{FEFF}{}",
      "the payload is not JSON: a value is expected, not U+FEFF (line 1, column 1)", isAnswered: false),
  ]

  // Row 3.
  static let notAnObject = [
    ("[]", "an array"), ("12", "12"), ("-1.5e3", "-1.5e3"), ("null", "null"), ("true", "true"), (#""a""#, "a string"),
  ].map { text, kind in
    BadInput(
      text, #"the payload is \#(kind); an object is expected, like {"id": "job_2026_01"} (line 1, column 1)"#,
      isAnswered: false)
  }

  // Row 4.
  static let tooMuch = [
    BadInput(
      #"{"id": "a"}"# + String(repeating: " ", count: 256 << 10),
      "the payload is 262155 bytes; at most 262144 (256 KiB) are taken", isAnswered: false),
    BadInput(
      String(repeating: "[", count: 10_000), "the payload is nested more than 64 deep (line 1, column 65)",
      isAnswered: false),
    BadInput(
      String(repeating: #"{"a":"#, count: 10_000), "the payload is nested more than 64 deep (line 1, column 321)",
      isAnswered: false),
  ]

  // Row 5.
  static let twice = [
    BadInput(
      #"{"id": "a", "id": "b"}"#,
      #"the key "id" is there twice, at line 1, column 2 and at line 1, column 13; keep one"#, isAnswered: false),
    BadInput(
      #"{"id": "a", "env": {"X": "1", "X": "1"}}"#,
      #"the key "X" is there twice, at line 1, column 21 and at line 1, column 31; keep one"#),
    BadInput(
      "{\"id\": \"a\",\n \"steps\": [\n  {\"run\": \"x\",\n   \"\\u0072un\": \"y\"}]}",
      #"the key "run" is there twice, at line 3, column 4 and at line 4, column 4; keep one"#),
    BadInput(
      "{\"id\": \"a\", \"0\":0, \"1\":0, \"2\":0, \"3\":0, \"4\":0, \"5\":0, \"6\":0, \"7\":0, \"8\":0, \"3\":0}",
      #"the key "3" is there twice, at line 1, column 34 and at line 1, column 76; keep one"#),
  ]

  // Row 6.
  static let withoutID = [
    BadInput(
      "{}", #""id" is missing; it names the job, like {"id": "job_2026_01"} (line 1, column 1)"#, isAnswered: false),
    BadInput(
      #"{"ID": "a"}"#, #""id" is missing; it names the job, like {"id": "job_2026_01"} (line 1, column 1)"#,
      isAnswered: false),
    BadInput(
      #"{"id": 12}"#, #""id" is 12; a string is expected, like "job_2026_01" (line 1, column 8)"#, isAnswered: false),
    BadInput(
      #"{"id": null}"#, #""id" is null; a string is expected, like "job_2026_01" (line 1, column 8)"#,
      isAnswered: false),
    BadInput(
      #"{"id": ["a"]}"#, #""id" is an array; a string is expected, like "job_2026_01" (line 1, column 8)"#,
      isAnswered: false),
  ]

  // Row 7, and the empty id of row 6: the id as JSON, the id as in the sentence, and the fault.
  static let againstTheRule = [
    ("", "", "it is empty"),
    ("../x", "../x", #"it starts with ".""#),
    ("a/b", "a/b", #"it holds "/""#),
    ("/etc", "/etc", #"it starts with "/""#),
    (".", ".", #"it starts with ".""#),
    ("..", "..", #"it starts with ".""#),
    (#"\u0000"#, #"\u{0000}"#, "it starts with U+0000"),
    (#"a\u0000"#, #"a\u{0000}"#, "it holds U+0000"),
    ("+", "+", #"it starts with "+""#),
    ("a#", "a#", ##"it holds "#""##),
    ("$SYS", "$SYS", #"it starts with "$""#),
    ("a b", "a b", "it holds a space"),
    (#"a\n"#, #"a\n"#, "it holds U+000A"),
    (#"a\"b"#, #"a\"b"#, "it holds a double quote"),
    ("-rf", "-rf", #"it starts with "-""#),
    (".git", ".git", #"it starts with ".""#),
    (
      String(repeating: "a", count: 300), String(repeating: "a", count: 64) + "…", "it is 300 bytes long"
    ),
    ("j\u{43E}b", "j\u{43E}b", "it holds \"\u{43E}\" (U+043E)"),
    ("\u{FF4A}ob", "\u{FF4A}ob", "it starts with \"\u{FF4A}\" (U+FF4A)"),
    ("\u{212A}", "\u{212A}", "it starts with \"\u{212A}\" (U+212A)"),
    ("ae\u{301}", "ae\u{301}", "it holds U+0301"),
    ("a\u{200B}", #"a\u{200B}"#, "it holds U+200B"),
    ("a\u{202E}b", #"a\u{202E}b"#, "it holds U+202E"),
    (#"a\u001b[2J"#, #"a\u{001B}[2J"#, "it holds U+001B"),
  ].map { id, quoted, fault in
    BadInput(
      #"{"id": "\#(id)"}"#,
      """
      "id": "\(quoted)" is not a job id: \(fault); an id is 1 to 128 of the characters A-Z, a-z, 0-9, ".", "_" and "-", \
      the first a letter or a digit (line 1, column 8)
      """, isAnswered: false)
  }
}
