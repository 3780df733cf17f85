private import Glibc
private import Synchronization

/// Passes work from any thread to the session's thread, and wakes it from poll(2).
final class Mailbox: Sendable {
  /// Runs on the session's thread; receives `nil` when the session is closed.
  typealias Item = @Sendable (SessionLoop?) -> Void

  private struct State {
    var items: [Item] = []
    var closed: MQTTError?
    var limits: SessionLimits
    var isConnected = false
  }

  /// Readable while items are queued; the read end of a pipe.
  let wakeDescriptor: Int32
  private let wakingDescriptor: Int32
  private let state: Mutex<State>
  private let ended = Atomic(0)

  init(_ limits: SessionLimits = SessionLimits()) throws(MQTTError) {
    state = Mutex(State(limits: limits))
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw .usage("pipe: \(String(cString: strerror(errno))); raise the limit of open files (ulimit -n)")
    }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    wakeDescriptor = ends[0]
    wakingDescriptor = ends[1]
  }

  deinit {
    Glibc.close(wakeDescriptor)
    Glibc.close(wakingDescriptor)
  }

  /// The number of the current connection, or of the next.
  var connection: Int { ended.load(ordering: .sequentiallyConsistent) }

  /// The number of the connection while the broker has accepted it and its loss is not known.
  var standingConnection: Int? {
    state.withLock { $0.isConnected ? connection : nil }
  }

  func connectionBegan() {
    state.withLock { $0.isConnected = true }
  }

  /// Called before the socket is closed.
  func connectionEnded() {
    state.withLock { $0.isConnected = false }
    ended.add(1, ordering: .sequentiallyConsistent)
  }

  /// The limits that the broker announced.
  var limits: SessionLimits {
    get { state.withLock { $0.limits } }
    set { state.withLock { $0.limits = newValue } }
  }

  /// Why the session is closed.
  var reason: MQTTError {
    state.withLock { $0.closed } ?? .closed
  }

  /// Queues `item`; calls it at once, without a loop, if the session is closed.
  func post(_ item: @escaping Item) {
    let isClosed = state.withLock { state in
      if state.closed == nil { state.items.append(item) }
      return state.closed != nil
    }
    guard !isClosed else { return item(nil) }
    // A full pipe rejects the byte, but wakes the thread all the same.
    write(wakingDescriptor, [1], 1)
  }

  func take() -> [Item] {
    var bytes: (UInt64, UInt64) = (0, 0)
    while read(wakeDescriptor, &bytes, 16) == 16 {}
    return state.withLock { state in
      defer { state.items = [] }
      return state.items
    }
  }

  /// Calls queued items, and all later ones, without a loop.
  func close(with reason: MQTTError) {
    let items = state.withLock { state in
      state.closed = reason
      defer { state.items = [] }
      return state.items
    }
    for item in items { item(nil) }
  }
}
