import Testing

@testable import Jobs

struct VariableLinesTests {
  private func read(_ text: String) throws -> [String: String] {
    try VariableLines(Array(text.utf8)) { $0.hasPrefix("JOB_") }.values
  }

  @Test(arguments: [
    ("", [:]), ("\n\n", [:]), ("A=1", ["A": "1"]), ("A=1\nB=\n", ["A": "1", "B": ""]),
    ("A=1\nA=2\n", ["A": "2"]), ("A= b = c<<d \n", ["A": " b = c<<d "]),
    ("A<<END\none\n\n two=2\nEND\nB=3", ["A": "one\n\n two=2", "B": "3"]),
    ("A<<END\nEND\n", ["A": ""]), ("A<< b\nx\n b\n", ["A": "x"]), ("A<<=\nx\n=\n", ["A": "x"]),
    ("A.b-c=1", ["A.b-c": "1"]),
  ])
  func linesAreVariables(text: String, values: [String: String]) throws {
    #expect(try read(text) == values)
  }

  @Test func bytesThatAreNotUTF8AreRepaired() throws {
    #expect(try VariableLines([0x41, 0x3D, 0xE9, 0x0A]).values == ["A": "\u{FFFD}"])
  }

  @Test(arguments: [
    ("A=1\nB\n", 2, "it has no \"=\""), ("=1", 1, "its name is empty"), ("\n\n2A=1", 3, "its name begins with a digit"),
    ("export A=1", 1, "its name holds a blank"), ("A\0=1", 1, "its name holds a NUL"),
    ("A=b\0", 1, "the value of \"A\" holds a NUL, which no variable can"),
    ("JOB_ID=b", 1, "\"JOB_ID\" is the worker's; take another name"),
    ("A<<\nx", 1, "there is no word behind \"<<\""), ("<<E\nE", 1, "its name is empty"),
    (
      "A=1\nB<<END\nEND \n", 2,
      "the value of \"B\" has no end: the word behind \"<<\" must stand alone on a later line"
    ),
    ("A=" + String(repeating: "b", count: 131_070), 1, "a variable and its value are 131071 bytes; Linux takes 131070"),
  ])
  func malformedLineIsNamed(text: String, line: Int, sentence: String) throws {
    let fault = try #require(throws: VariableFault.self) { try read(text) }
    #expect(fault == VariableFault(line, sentence))
    #expect(
      fault.sentence(about: "JOB_ENV")
        == "JOB_ENV, line \(line): \(sentence). Write lines NAME=value, or NAME<<END, the value's lines, and END")
  }

  @Test func nothingBeyondAMebibyteIsRead() throws {
    let fault = try #require(throws: VariableFault.self) {
      try VariableLines([UInt8](repeating: 0x0A, count: VariableLines.largest + 1))
    }
    #expect(fault.line == nil)
  }
}
