import Testing

@testable import mqtt_fs_worker

@Suite struct FormattingTests {
  @Test(
    arguments: [
      (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (.max, "8192.0 PiB"), (-1, "-1 B"),
      (.min, "-9223372036854775808 B"),
    ] as [(Int64, String)])
  func bytesOfAnyNumberAreWritten(_ bytes: Int64, _ text: String) {
    #expect(bytesText(bytes) == text)
  }

  @Test(
    arguments: [
      (0, "0 ms"), (-5, "-5 ms"), (1500, "1.5 s"), (5_400_000, "1h30m"), (.min, "-9223372036854775808 ms"),
      (.max, "106751991167d7h12m55s"),
    ] as [(Int, String)])
  func durationOfAnyLengthIsWritten(_ milliseconds: Int, _ text: String) {
    #expect(durationText(milliseconds: milliseconds) == text)
  }
}
