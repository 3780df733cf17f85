import TestSupport
import Testing

@testable import Jobs

struct JobDurationTests {
  @Test(
    arguments: [
      ("90s", .seconds(90)), ("10m", .seconds(600)), ("1h30m", .seconds(5400)), ("500ms", .milliseconds(500)),
      ("7d", .seconds(604_800)), ("90", .seconds(90)), ("1.5", .milliseconds(1500)), ("1.5h", .seconds(5400)),
      ("0.1", .milliseconds(100)), ("1d2h3m4s5ms", .milliseconds(93_784_005)), ("0h1s", .seconds(1)),
      ("0.001", .milliseconds(1)), ("3650d", .seconds(315_360_000)),
    ] as [(String, Duration)])
  func durationIsReadAsItIsWritten(text: String, duration: Duration) throws {
    #expect(try Duration(jobText: text) == duration)
  }

  @Test(arguments: [
    "", " ", "s", "h1", "1x", "1 m", " 1m", "1m ", "1M", "1m1h", "1m1m", "1ms1s", "1h30", "30 1h", ".5", "1.", "1..5",
    "+1",
    "1e3", "0x10", "NaN", "inf", "infinity", "nan", "soon", "--1", "1,5", "１", "1\0",
  ])
  func anythingElseIsNotADuration(text: String) throws {
    let error = try #require(throws: InvalidDuration.self) { try Duration(jobText: text) }
    #expect(
      error.description.contains(" is not a duration; write it like 90s, 10m, 1h30m or 7d, or as a number of seconds"))
  }

  @Test(arguments: [
    ("0", "is not more than 0; "), ("0h0m", "is not more than 0; "), ("-5", "is not more than 0; "),
    ("-1h30m", "is not more than 0; "), ("0.0001", "is too short; at least 1ms is expected"),
    ("3650d1s", "is too long; at most 3650d is expected"),
    (String(repeating: "9", count: 400), "is too long; at most 3650d is expected"),
  ])
  func durationOutOfRangeIsRefused(text: String, fault: String) throws {
    let error = try #require(throws: InvalidDuration.self) { try Duration(jobText: text) }
    #expect(error.description.contains(fault))
  }

  @Test(
    arguments: [
      (.zero, "0s"), (.seconds(90), "1m30s"), (.seconds(5400), "1h30m"), (.milliseconds(500), "500ms"),
      (.milliseconds(1500), "1s500ms"), (.seconds(604_800), "7d"), (.microseconds(1_000_001), "1s"),
      (.milliseconds(60_005), "1m5ms"),
    ] as [(Duration, String)])
  func durationIsWrittenInTheLargestUnits(duration: Duration, text: String) {
    #expect(duration.jobText == text)
  }

  @Test func whatIsWrittenIsReadBack() throws {
    var random = SeededRandom(seed: 1)
    for _ in 0..<10_000 {
      let duration = Duration.milliseconds(Int64.random(in: 1...(1 << Int64.random(in: 1...38)), using: &random))
      #expect(try Duration(jobText: duration.jobText) == duration)
    }
  }
}
