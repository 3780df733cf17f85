import Testing

@testable import Steps
@testable import Worker

struct SyncLimitTests {
  private let stop = StopRequest()
  private static let long = Duration.seconds(600)

  @Test func nothingBoundsItWhileTheJobHasTime() {
    #expect(!SyncLimit(stop, grace: .zero, deadline: nil).isReached)
    #expect(!SyncLimit(stop, grace: .zero, deadline: .now + Self.long).isReached)
  }

  @Test func graceFollowsTheTimeout() {
    #expect(SyncLimit(stop, grace: .zero, deadline: .now - Self.long).isReached)
    #expect(!SyncLimit(stop, grace: Self.long, deadline: .now - .seconds(1200)).isReached)
  }

  @Test func graceFollowsTheFirstRequest() {
    let (patient, hasty) = (
      SyncLimit(stop, grace: Self.long, deadline: nil), SyncLimit(stop, grace: .zero, deadline: nil)
    )
    stop.raise(.terminate, reason: .canceled)
    #expect(!patient.isReached)
    #expect(hasty.isReached)
  }

  @Test func requestForAnEndAtOnceEndsIt() {
    let limit = SyncLimit(stop, grace: Self.long, deadline: nil)
    stop.raise(.kill, reason: .shutdown)
    #expect(limit.isReached)
  }

  @Test func stepsThatWereKilledStillBringBackWhatTakesNoTime() {
    stop.raise(.kill, reason: .shutdown)
    #expect(!SyncLimit(stop, grace: Self.long, deadline: nil).isReached)
    #expect(SyncLimit(stop, grace: .zero, deadline: nil).isReached)
  }
}
