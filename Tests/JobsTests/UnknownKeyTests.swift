import Testing

@testable import Jobs

struct UnknownKeyTests {
  private func keys(_ json: String) throws -> [UnknownKey] { try JobDefinition(json: Array(json.utf8)).unknownKeys }

  @Test(
    arguments: [
      ("timout", "timeout"), ("TIMEOUT", "timeout"), ("stpes2", "steps"), ("environment", "env"),
      ("maxAttempt", "maxAttempts"),
      ("x", nil), (String(repeating: "timeout", count: 7), nil),
    ] as [(String, String?)])
  func meantKeyIsFound(_ key: String, _ meant: String?) throws {
    let found = try #require(try keys(#"{"steps": ["true"], "\#(key)": 1}"#).first)
    #expect(found.meant == meant && found.path == key.escaped)
  }

  @Test func placesAreThoseOfTheText() throws {
    let found = try keys("{\"a\": 1,\n \"steps\": [\n  {\"run\": \"x\", \"é\": 1, \"b\": 2}],\n\"c\": 3}")
    #expect(found.map(\.path) == ["a", "steps[0].é", "steps[0].b", "c"])
    #expect(
      found.map { "\($0.position)" } == [
        "line 1, column 2", "line 3, column 16", "line 3, column 24", "line 4, column 1",
      ])
  }

  @Test func keysOfStepsAreKnownOnlyThere() throws {
    let found = try keys(#"{"steps": [{"run": "x", "cache": 1}], "run": "x", "retrys": 1}"#)
    #expect(found.map(\.path) == ["steps[0].cache", "run", "retrys"])
    #expect(found.map(\.meant) == [nil, nil, nil])
  }
}
