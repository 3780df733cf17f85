import CLinux
import Glibc
import Synchronization
import SystemPackage

/// How urgently a running step is asked to end.
package enum StopLevel: Int, Comparable, Sendable {
  case none, terminate, kill

  /// Compares urgency.
  package static func < (lhs: StopLevel, rhs: StopLevel) -> Bool { lhs.rawValue < rhs.rawValue }
}

/// Why a step is asked to end; `lapsed`: the worker could not renew its claim, and others may consider it dead.
package enum StopReason: String, Sendable { case shutdown, canceled, superseded, lapsed }

/// A latch that any thread may raise and that never lowers. There is one for the process, one for its job, and one for the
/// cleanup steps of a job that ends: a raise goes down that way, and never up.
///
/// Its reason is that of the first raise: a second signal makes the end more urgent, but does not change the reason.
package final class StopRequest: Sendable {
  private struct State {
    var level = StopLevel.none
    var reason: StopReason?
    var reasons: Set<StopReason> = []
    var listeners: [Wakeup] = []
    var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    var waiters = 0
    var cleanups: [StopRequest] = []
    /// The request of the current job.
    var job: StopRequest?
  }

  private let state = Mutex(State())
  /// The level again, without a lock: several threads that copy files ask for it before each file, and would wait for each
  /// other longer than they copy.
  private let latest = Atomic<Int>(StopLevel.none.rawValue)

  /// Creates a request that has not been raised.
  package init() {}

  /// Requests an end with at least this urgency. Raising to `.none`, or to a lower level than before, does nothing.
  package func raise(_ level: StopLevel, reason: StopReason) {
    let told = state.withLock { state -> State? in
      state.reasons.insert(reason)
      guard level > state.level else { return nil }
      state.level = level
      if state.reason == nil { state.reason = reason }
      latest.store(level.rawValue, ordering: .releasing)
      defer { state.waiting = [:] }
      return state
    }
    guard let told else { return }
    for listener in told.listeners { listener.signal() }
    for continuation in told.waiting.values { continuation.resume() }
    if level == .kill { for cleanup in told.cleanups { cleanup.raise(level, reason: reason) } }
    told.job?.raise(level, reason: reason)
  }

  /// Waits for the first raise, or until its task is cancelled.
  package func raised() async {
    let waiter = state.withLock { state in
      state.waiters += 1
      return state.waiters
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if state.level > .none || Task.isCancelled { return true }
          state.waiting[waiter] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiting.removeValue(forKey: waiter) }?.resume()
    }
  }

  /// Waits for `work`, or for a raise; returns `nil` when that comes first.
  package func unlessRaised<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) async throws -> T? {
    try await wait(for: work) { [self] in await raised() }
  }

  /// Creates a request for the next job, replacing the last job's: raising this one raises it, but not the other way
  /// round.
  package func forNextJob() -> StopRequest {
    let job = StopRequest()
    let (level, reason) = state.withLock { state in
      state.job = job
      return (state.level, state.reason)
    }
    if let reason { job.raise(level, reason: reason) }
    return job
  }

  /// Creates a request for work that must still run when this one is raised, such as a cleanup step: only `.kill`
  /// reaches it.
  package func forCleanup() -> StopRequest {
    let cleanup = StopRequest()
    let reason = state.withLock { state in
      state.cleanups.append(cleanup)
      return state.level == .kill ? state.reason : nil
    }
    if let reason { cleanup.raise(.kill, reason: reason) }
    return cleanup
  }

  /// The most urgent level requested so far.
  package var level: StopLevel { StopLevel(rawValue: latest.load(ordering: .acquiring)) ?? .none }

  /// The reason of the first raise; nil before.
  package var reason: StopReason? { state.withLock { $0.reason } }

  /// Whether the worker itself is asked to end, whatever was requested before.
  package var isShutdown: Bool { wasRaised(for: .shutdown) }

  /// Whether it was raised for one of these reasons, even after another one.
  package func wasRaised(for reasons: StopReason...) -> Bool {
    state.withLock { !$0.reasons.isDisjoint(with: reasons) }
  }

  /// Signals `wakeup` at each raise from now on, and immediately if it is already raised.
  func add(_ wakeup: Wakeup) {
    let level = state.withLock { state in
      state.listeners.append(wakeup)
      return state.level
    }
    if level > .none { wakeup.signal() }
  }

  func remove(_ wakeup: Wakeup) {
    state.withLock { $0.listeners.removeAll { $0 === wakeup } }
  }
}

/// A descriptor that becomes readable when it is signalled, to wake a thread from `poll(2)`. It stays readable until
/// `clear()`. eventfd(2).
final class Wakeup: Sendable {
  let descriptor: Int32

  init() throws(Errno) {
    descriptor = linux_eventfd()
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
  }

  deinit { close(descriptor) }

  func signal() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  func clear() {
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
  }

  /// Waits until it is signalled, but no longer than `limit`.
  @discardableResult
  func wait(atMost limit: Duration) -> Readiness {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, limit.pollTimeout) > 0 ? .ready : .timedOut
  }

  enum Readiness { case ready, timedOut }
}

extension Duration {
  /// The timeout for poll(2): whole milliseconds, rounded up so that the wait is not too short; never infinite.
  var pollTimeout: Int32 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    guard seconds < 1_000_000 else { return 1_000_000_000 }
    return Int32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
