import Jobs
import Testing

@testable import mqtt_fs_worker

@Suite struct JobTextTests {
  @Test(
    arguments: [
      (0, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (3599, "59 min ago"), (3600, "1 h ago"),
      (2 * 86400 - 1, "47 h ago"), (2 * 86400, "2 days ago"), (-5, "0 s ago"),
    ] as [(Int64, String)])
  func agesAreForPeople(_ seconds: Int64, _ text: String) {
    let then = Timestamp(millisecondsSince1970: 1_790_000_000_000)
    #expect(agoText(then, at: Timestamp(millisecondsSince1970: 1_790_000_000_000 + seconds * 1000)) == text)
  }

  @Test func stepsAreCountedFromOne() {
    #expect(stepHeading(1, of: 3, "build") == "step 2 of 3: build")
    #expect(stepHeading(0, of: nil, nil) == "step 1")
    #expect(stepHeading(.max, of: nil, nil).hasPrefix("step "))
  }

  @Test func longTextEndsWithAnEllipsis() {
    #expect("abcdef".clipped(to: 4) == "abc…" && "abcd".clipped(to: 4) == "abcd" && "abc".clipped(to: 0) == "…")
  }
}
