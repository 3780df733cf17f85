import Foundation
import Testing

@testable import Jobs

struct JobIDTests {
  @Test(arguments: ["a", "0", "job_2026_01", "A.b-c_d", "a..", "1.2.3", String(repeating: "x", count: 128)])
  func idWithinTheRuleIsTaken(text: String) throws {
    let id = try JobID(text)
    #expect(id.text == text)
    #expect("\(id)" == text)
  }

  @Test(arguments: [
    "", ".", "..", "-", "_a", "a/b", "a\0", "a\n", "a\r\n", "é", "\u{212A}", String(repeating: "x", count: 129),
  ])
  func idAgainstTheRuleIsRefused(text: String) {
    #expect(throws: InvalidInput.self) { try JobID(text) }
  }

  @Test func everyASCIICharacterIsTakenOrRefusedAsTheRuleSays() {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    for value in UInt8(0)..<128 {
      let character = Character(Unicode.Scalar(value))
      #expect(((try? JobID("\(character)")) != nil) == letters.contains(character))
      #expect(((try? JobID("a\(character)")) != nil) == (letters + "._-").contains(character))
    }
  }

  @Test func idIsAStringInJSON() throws {
    let json = try JSONEncoder().encode([JobID("job_1")])
    #expect(String(decoding: json, as: UTF8.self) == #"["job_1"]"#)
    #expect(try JSONDecoder().decode([JobID].self, from: json) == [JobID("job_1")])
    #expect(throws: InvalidInput.self) { try JSONDecoder().decode([JobID].self, from: Data(#"["../x"]"#.utf8)) }
  }
}
