import Testing

@testable import Steps

@Suite(.timeLimit(.minutes(5))) struct StopRequestTests {
  @Test func nobodyHasAskedAtFirst() {
    let stop = StopRequest()
    #expect(stop.level == .none)
    #expect(stop.reason == nil)
  }

  @Test func theLevelRisesAndTheFirstReasonStays() {
    let stop = StopRequest()
    stop.raise(.terminate, reason: .canceled)
    stop.raise(.kill, reason: .shutdown)
    #expect(stop.level == .kill)
    #expect(stop.reason == .canceled)
  }

  @Test func itNeverLowers() {
    let stop = StopRequest()
    stop.raise(.kill, reason: .superseded)
    stop.raise(.terminate, reason: .shutdown)
    stop.raise(.none, reason: .canceled)
    #expect(stop.level == .kill)
    #expect(stop.reason == .superseded)
  }

  @Test func aListenerThatComesLateIsToldAtOnce() throws {
    let stop = StopRequest()
    stop.raise(.terminate, reason: .shutdown)
    let wakeup = try Wakeup()
    stop.add(wakeup)
    #expect(wakeup.wait(atMost: .zero) == .ready)
  }

  @Test func aListenerThatLeftIsNotTold() throws {
    let stop = StopRequest()
    let wakeup = try Wakeup()
    stop.add(wakeup)
    stop.remove(wakeup)
    stop.raise(.kill, reason: .shutdown)
    #expect(wakeup.wait(atMost: .zero) == .timedOut)
  }

  @Test func endOfTheWorkerIsTheEndOfItsJobAndNotTheOtherWayRound() {
    let worker = StopRequest()
    let first = worker.forNextJob()
    first.raise(.terminate, reason: .canceled)
    #expect(worker.level == .none)
    let second = worker.forNextJob()
    #expect(second.level == .none)
    worker.raise(.terminate, reason: .shutdown)
    #expect(second.level == .terminate && second.isShutdown)
    worker.raise(.kill, reason: .shutdown)
    #expect(second.level == .kill)
    #expect(worker.forNextJob().level == .kill)
    #expect(!first.isShutdown)
  }

  @Test func nobodyWaitsWhoWasCancelled() async {
    let stop = StopRequest()
    let waiting = Task { await stop.raised() }
    waiting.cancel()
    await waiting.value
    #expect(stop.level == .none)
  }

  @Test func workIsWaitedForUnlessItIsRaised() async throws {
    struct Failure: Error {}
    let stop = StopRequest()
    #expect(try await stop.unlessRaised { 7 } == 7)
    await #expect(throws: Failure.self) { try await stop.unlessRaised { throw Failure() } }
    async let never = stop.unlessRaised { try await Task.sleep(for: .seconds(3600)) }
    stop.raise(.terminate, reason: .shutdown)
    #expect(try await never == nil)
  }
}
