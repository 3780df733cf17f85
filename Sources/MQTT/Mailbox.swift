private import Glibc
private import Synchronization

/// Hands work from any thread to the session's thread, and wakes it out of poll(2).
final class Mailbox: Sendable {
  /// Runs on the session's thread; is given no loop when the session is closed.
  typealias Item = @Sendable (SessionLoop?) -> Void

  private struct State {
    var items: [Item] = []
    var closed: MQTTError?
    var limits: SessionLimits
    var isConnected = false
  }

  /// Readable while there is something to take; the read end of a pipe.
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

  /// The number of the connection that stands, or of the next.
  var connection: Int { ended.load(ordering: .sequentiallyConsistent) }

  /// The number of the connection, while the broker has accepted it and it is not known to be lost.
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

  /// What the broker takes and keeps.
  var limits: SessionLimits {
    get { state.withLock { $0.limits } }
    set { state.withLock { $0.limits = newValue } }
  }

  /// Why the session is closed.
  var reason: MQTTError {
    state.withLock { $0.closed } ?? .closed
  }

  /// Queues `item`; it is called at once, without a loop, if the session is closed.
  func post(_ item: @escaping Item) {
    let isClosed = state.withLock { state in
      if state.closed == nil { state.items.append(item) }
      return state.closed != nil
    }
    guard !isClosed else { return item(nil) }
    // A full pipe refuses the byte, and wakes all the same.
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

  /// Answers what is queued, and all that comes later, without a loop.
  func close(with reason: MQTTError) {
    let items = state.withLock { state in
      state.closed = reason
      defer { state.items = [] }
      return state.items
    }
    for item in items { item(nil) }
  }
}
