import Testing

@testable import Steps

struct GuardianLeaseTests {
  /// What a lease of 800 ns from 1000 on says at these times.
  private func looks(at times: [Int64]) -> [Bool] {
    var lease = GuardianLease(800, at: 1000)
    return times.map { lease.hasLapsed(at: $0) }
  }

  @Test func itIsOverWhenNobodyHasRenewedItForItsWholeLength() {
    #expect(looks(at: [1100, 1300, 1500, 1700, 1800, 1900]) == [false, false, false, false, false, true])
  }

  /// A machine was suspended: worker and guardian go on together, and the worker has a quarter of the lease to touch its claim.
  @Test func whoStoodStillHimselfWaitsALittleLonger() {
    #expect(looks(at: [50_000, 50_100, 50_200, 50_300]) == [false, false, false, true])
  }

  @Test(arguments: [0, 1, 8_000_000, 30_000_000_000, .max] as [UInt64])
  func anyLengthIsOne(nanoseconds: UInt64) {
    var lease = GuardianLease(nanoseconds, at: 1000)
    let hasLapsed = lease.hasLapsed(at: 1000)
    #expect(lease.pollTimeout > 0)
    #expect(!hasLapsed)
  }
}
