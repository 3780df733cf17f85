import Dispatch
import Synchronization

/// Blocking work on a thread of its own, whose result one task awaits. The thread is requested immediately, so that it
/// exists before the system's threads may be exhausted.
final class ThreadResult<Value: Sendable>: Sendable {
  private enum State {
    case running
    case awaited(CheckedContinuation<Value, Never>)
    case finished(Value)
  }

  private let state = Mutex(State.running)

  init(_ label: String, _ work: @escaping @Sendable () -> Value) {
    DispatchQueue(label: label).async { self.finish(work()) }
  }

  /// The result. May be awaited once.
  func value() async -> Value {
    await withCheckedContinuation { continuation in
      let finished: Value? = state.withLock { state in
        if case .finished(let value) = state { return value }
        state = .awaited(continuation)
        return nil
      }
      if let finished { continuation.resume(returning: finished) }
    }
  }

  private func finish(_ value: Value) {
    let waiter: CheckedContinuation<Value, Never>? = state.withLock { state in
      if case .awaited(let continuation) = state { return continuation }
      state = .finished(value)
      return nil
    }
    waiter?.resume(returning: value)
  }
}
