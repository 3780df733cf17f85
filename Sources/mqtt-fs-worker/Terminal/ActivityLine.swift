import Glibc
import Jobs
import Synchronization

/// The line of a submission on the terminal that says what its job is doing while no output comes. Output waits while a
/// question is on the terminal.
final class ActivityLine: Sendable {
  private struct State {
    var doing: String?
    var began = ContinuousClock.now
    /// When something was last written.
    var last = ContinuousClock.now
    /// Whether the output ends with a whole line: the line would overwrite any other.
    var isAtLineStart = true
    var isAsking = false
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())
  /// How long no output comes before the line is shown.
  private static let quiet = Duration.seconds(2)

  /// Notes what the job is doing from now on; `nil` for nothing.
  func begin(_ doing: String?) {
    state.withLock { state in
      (state.doing, state.began, state.last) = (doing, .now, .now)
      ProgressLine.clear()
    }
  }

  /// Shows how far a copy is.
  func show(_ text: String) {
    state.withLock { state in
      guard ProgressLine.isWanted, state.isAtLineStart, !state.isAsking else { return }
      (state.doing, state.last) = (nil, .now)
      ProgressLine.show(text)
    }
  }

  /// Removes the line before output.
  func makeWay(for bytes: [UInt8]) {
    state.withLock { state in
      ProgressLine.clear()
      state.last = .now
      if let last = bytes.last { state.isAtLineStart = last == UInt8(ascii: "\n") }
    }
  }

  /// Shows the line again each second, until the task is cancelled.
  func run() async throws {
    guard ProgressLine.isWanted else { return }
    while true {
      try await Task.sleep(for: .seconds(1))
      state.withLock { state in
        guard let doing = state.doing, state.isAtLineStart, !state.isAsking,
          ContinuousClock.now - state.last >= ActivityLine.quiet - .milliseconds(50)
        else { return }
        ProgressLine.show("\(doing), \((ContinuousClock.now - state.began).components.seconds) s")
      }
    }
  }

  // MARK: Questions

  /// Holds output back while `question` waits for its answer.
  func held<T: Sendable>(during question: @Sendable () async -> T) async -> T {
    state.withLock { state in
      state.isAsking = true
      ProgressLine.clear()
    }
    let answer = await question()
    letGo()
    return answer
  }

  /// Ends the waiting for the answer.
  func letGo() {
    let waiting = state.withLock { state in
      (state.isAsking, state.last) = (false, .now)
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  /// Returns when no question is on the terminal.
  func turn() async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        if state.isAsking { state.waiting.append(continuation) }
        return !state.isAsking
      }
      if isFree { continuation.resume() }
    }
  }
}
