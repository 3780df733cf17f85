import Synchronization
import Testing

@testable import Steps

struct WaitingTests {
  private struct Failure: Error {}

  @Test func workThatEndsFirstGivesItsResult() async throws {
    let result = try await wait(for: { 7 }, until: { try await Task.sleep(for: .seconds(600)) })
    #expect(result == 7)
  }

  @Test func workIsCancelledAndAwaitedWhenTheTimeIsUp() async {
    let isOver = Atomic(false)
    let result: Int? = await wait(atMost: .milliseconds(1)) {
      try? await Task.sleep(for: .seconds(600))
      isOver.store(true, ordering: .relaxed)
      return 7
    }
    #expect(result == nil)
    let wasOver = isOver.load(ordering: .relaxed)
    #expect(wasOver)
  }

  @Test func errorOfTheWorkIsThrown() async {
    await #expect(throws: Failure.self) {
      let _: Int? = try await wait(for: { throw Failure() }, until: { try await Task.sleep(for: .seconds(600)) })
    }
  }

  @Test func cancelledCallerGetsNothing() async throws {
    let task = Task {
      try await wait(
        for: { try await Task.sleep(for: .seconds(600)) }, until: { try await Task.sleep(for: .seconds(600)) })
    }
    task.cancel()
    #expect(try await task.value == nil)
  }

  @Test func tasksBesideTheBodyEndWithIt() async throws {
    let isOver = Atomic(false)
    try await withTasks([
      {
        try? await Task.sleep(for: .seconds(600))
        isOver.store(true, ordering: .relaxed)
      }
    ]) {}
    let wasOver = isOver.load(ordering: .relaxed)
    #expect(wasOver)
  }
}
