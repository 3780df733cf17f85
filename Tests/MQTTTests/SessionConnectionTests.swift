import Testing

@testable import MQTT

@Suite struct SessionConnectionTests {
  @Test func waitsFromOneToThirtySeconds() {
    for _ in 0..<100 {
      var backoff = Backoff()
      for _ in 0..<50 {
        let delay = backoff.next()
        #expect(delay >= .seconds(1) && delay <= .seconds(30))
      }
    }
  }

  @Test func growsFromTryToTry() {
    var backoff = Backoff()
    let delays = (0..<6).map { _ in backoff.next() }
    #expect(delays[0] <= .seconds(1.25))
    #expect(delays[2] >= .seconds(3) && delays[2] <= .seconds(5))
    #expect(delays[5] >= .seconds(22.5))
  }

  @Test func isNotTheSameForEverybody() {
    let delays = (0..<20).map { _ in
      var backoff = Backoff()
      return (0..<4).map { _ in backoff.next() }.last!
    }
    #expect(Set(delays).count > 10)
  }

  @Test func beginsAgainAfterReset() {
    var backoff = Backoff()
    for _ in 0..<10 { _ = backoff.next() }
    backoff.reset()
    #expect(backoff.next() <= .seconds(1.25))
  }
}
