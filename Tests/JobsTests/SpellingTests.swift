import Testing

@testable import Jobs

struct SpellingTests {
  private let words = ["submit", "status", "jobs", "workers"]

  @Test(
    arguments: [
      ("submti", "submit"), ("sumbit", "submit"), ("job", "jobs"), ("worker", "workers"), ("statsu", "status"),
      ("xyz", nil), ("", nil), ("jo", nil),
    ] as [(String, String?)])
  func nearestWordHasFewTypingErrors(_ word: String, _ nearest: String?) {
    #expect(Spelling.nearest(to: word, among: words) == nearest)
  }
}
