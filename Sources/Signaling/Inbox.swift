import MQTT
import Synchronization
import Worker

/// The entries that wait for an idle worker, in order. At most one of them is a request. At most one is a look at the
/// volume, however often a look is asked for.
final class Inbox: Sendable {
  enum Entry: Sendable {
    case look, request, timeout
    case failure(any Error)
    /// The worker should check whether to leave.
    case wakeup
  }

  private struct State {
    var willLook = false
    var offer: JobOffer?
  }

  private let state = Mutex(State())
  private let entries: AsyncStream<Entry>
  private let sender: AsyncStream<Entry>.Continuation

  init() {
    (entries, sender) = AsyncStream.makeStream()
  }

  /// Adds an entry. Does not add a second look while one waits.
  func add(_ entry: Entry) {
    if case .look = entry {
      let waits = state.withLock { state in
        defer { state.willLook = true }
        return state.willLook
      }
      if waits { return }
    }
    sender.yield(entry)
  }

  /// Adds a request. It can be withdrawn until the worker takes it.
  func offer(_ offer: JobOffer) {
    state.withLock { $0.offer = offer }
    sender.yield(.request)
  }

  /// Withdraws the request that waits. Returns false if none waits: then the worker has taken it and decides.
  @discardableResult func withdrawOffer() -> Bool {
    state.withLock { state in
      defer { state.offer = nil }
      return state.offer != nil
    }
  }

  /// Takes the request that waits; `nil` if it was withdrawn.
  func takeOffer() -> JobOffer? {
    state.withLock { state in
      defer { state.offer = nil }
      return state.offer
    }
  }

  /// Waits for the next entry; `nil` if the caller's task is canceled.
  func next() async -> Entry? {
    for await entry in entries {
      if case .look = entry { state.withLock { $0.willLook = false } }
      return entry
    }
    return nil
  }
}
