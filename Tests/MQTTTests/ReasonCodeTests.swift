import MQTT
import Testing

@Suite struct ReasonCodeTests {
  @Test func namesItself() {
    #expect(ReasonCode.notAuthorized.description.lowercased() == "not authorized (0x87)")
    #expect(ReasonCode.success.description.hasSuffix("(0x00)"))
  }

  @Test func failsFromEightyOn() {
    #expect(!ReasonCode.success.isFailure)
    #expect(!ReasonCode.noMatchingSubscribers.isFailure)
    #expect(ReasonCode(rawValue: 0x80).isFailure)
    #expect(ReasonCode.notAuthorized.isFailure)
  }
}
