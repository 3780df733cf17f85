import Foundation
import Testing

@testable import Jobs

struct TimestampTests {
  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
      (1_769_851_800_125, "2026-01-31T09:30:00.125Z"),
      (951_827_696_789, "2000-02-29T12:34:56.789Z"), (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
      (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ] as [(Int64, String)])
  func momentIsWrittenAsECMAScriptDoes(milliseconds: Int64, text: String) {
    #expect("\(Timestamp(millisecondsSince1970: milliseconds))" == text)
  }

  @Test func everyDayOfFourCenturiesIsNamedAsFoundationNamesIt() {
    let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    for day in stride(from: Int64(-30_000), to: 120_000, by: 1) {
      let seconds = day * 86400 + abs(day) % 86400
      let expected = Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(style)
      let written = Timestamp(millisecondsSince1970: seconds * 1000).description
      if written != expected {
        Issue.record("\(written) is written for \(expected)")
      }
    }
  }

  @Test func nowIsNow() {
    let before = Int64(Date().timeIntervalSince1970 * 1000) - 1
    #expect((before...before + 60_000).contains(Timestamp.now.millisecondsSince1970))
  }
}
