public import Glibc
import Synchronization

/// Starts a worker again whenever it exits, as a container engine does with `restart: always`.
public final class RestartLoop: Sendable {
  /// The worker's id.
  public let id: String
  private let start: @Sendable () throws -> WorkerProcess
  private let state: Mutex<State>

  private struct State {
    var current: WorkerProcess
    var ends: [ProcessEnd] = []
    var isStopped = false
    var failure: (any Error)?
  }

  init(_ id: String, _ start: @escaping @Sendable () throws -> WorkerProcess) throws {
    self.id = id
    self.start = start
    state = Mutex(State(current: try start()))
    Task { await run() }
  }

  private func run() async {
    while true {
      let end = await current.process.ended()
      let goesOn = state.withLock { state in
        state.ends.append(end)
        guard !state.isStopped else { return false }
        do { state.current = try start() } catch {
          state.failure = error
          state.isStopped = true
        }
        return !state.isStopped
      }
      guard goesOn else { return }
    }
  }

  /// The current life, or the last one.
  public var current: WorkerProcess { state.withLock { $0.current } }

  /// How the lives before this one ended.
  public var ends: [ProcessEnd] { state.withLock { $0.ends } }

  /// How many lives were begun.
  public var lives: Int { state.withLock { $0.ends.count } + (current.process.end == nil ? 1 : 0) }

  /// Kills the current life; the next begins at once.
  public func kill() { current.process.send(SIGKILL) }

  /// Starts no further life. The current one continues.
  public func finish() {
    state.withLock { $0.isStopped = true }
  }

  /// Starts no further life, ends the current one with `signal`, and waits for its end.
  @discardableResult
  public func stop(_ signal: Int32 = SIGTERM) async throws -> ProcessEnd {
    finish()
    let process = current.process
    process.send(SIGCONT)
    // A signal before the program begins would not test the program.
    try await eventually("a handler of signals") {
      signal == SIGKILL || process.end != nil || process.catches(signal)
    }
    process.send(signal)
    return try await current.end()
  }

  /// Why the last life could not be started.
  var failure: (any Error)? { state.withLock { $0.failure } }
}
