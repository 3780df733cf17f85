import Foundation
import Synchronization
import Testing

@testable import FileTree

@Suite struct WorkQueueTests {
  private final class Sum {
    var value = 0
  }

  /// Each number pushes the two below it: as many items as a tree has nodes.
  @Test(arguments: [1, 2, 40])
  func everythingThatIsPushedIsDoneOnce(threads: Int) {
    let queue = WorkQueue<Int, Sum>(threads: threads, makeLane: { Sum() }) { depth, sum, queue in
      sum.value += 1
      if depth > 0 {
        queue.push(depth - 1)
        queue.push(depth - 1)
      }
    }
    let lanes = queue.run([12])
    #expect(lanes.reduce(0) { $0 + $1.value } == (1 << 13) - 1)
  }

  @Test func noMoreThreadsThanAllowedWork() {
    let working = Mutex((now: 0, most: 0))
    let queue = WorkQueue<Int, Sum>(threads: 3, makeLane: { Sum() }) { depth, _, queue in
      working.withLock { working in
        working.now += 1
        working.most = max(working.most, working.now)
      }
      if depth > 0 { for _ in 0..<8 { queue.push(depth - 1) } }
      // Each thread waits until all permitted threads run.
      let end = ContinuousClock.now + .seconds(60)
      while working.withLock({ $0.most < 3 }), .now < end {
        queue.grow()
        sched_yield()
      }
      working.withLock { $0.now -= 1 }
    }
    #expect(queue.run([3]).count == 3)
    #expect(working.withLock { $0.most } == 3)
  }

  @Test func aStoppedQueueDropsWhatIsNotBegun() {
    let queue = WorkQueue<Int, Sum>(threads: 1, makeLane: { Sum() }) { item, sum, queue in
      sum.value += 1
      if item == 1 { queue.stop() }
    }
    // The last item pushed is the first taken.
    let lanes = queue.run(Array(repeating: 0, count: 1000) + [1])
    #expect(lanes.reduce(0) { $0 + $1.value } == 1)
  }

  @Test func anEmptyQueueEnds() {
    let queue = WorkQueue<Int, Sum>(makeLane: { Sum() }) { _, _, _ in }
    #expect(queue.run([]).count == 1)
  }
}
