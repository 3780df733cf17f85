import Testing

@testable import Signing

@Suite struct Base64URLTests {
  @Test func bytesOfEveryLengthComeBack() {
    for length in 0..<70 {
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 197 &+ 251) }
      let text = Base64URL.encode(bytes)
      #expect(!text.contains { "+/=".contains($0) })
      #expect(Base64URL.decode(text.utf8) == bytes)
    }
    // RFC 7515, appendix C.
    #expect(Base64URL.encode([3, 236, 255, 224, 193]) == "A-z_4ME")
  }

  /// Some decoder decodes each of these to the bytes of the first text.
  @Test(arguments: [
    "A+z/4ME", "A-z_4ME=", "A-z_4MF", "A-z_4ME\n", " A-z_4ME", "A-z_4ME==", "A-z_4M E", "A-z_4", "É-z_4ME",
  ])
  func onlyOneTextStandsForSomeBytes(_ text: String) {
    #expect(Base64URL.decode("A-z_4ME".utf8) == [3, 236, 255, 224, 193])
    #expect(Base64URL.decode(text.utf8) == nil)
  }
}
