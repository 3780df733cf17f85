import Synchronization

/// Prints a job's output until the stream fails. The command then follows the job without it.
final class Printing: Sendable {
  private struct State {
    var ended: Set<Output.Stream> = []
    var failure: OutputFailure?
  }

  private let console: Console
  private let consequence: String
  private let state = Mutex(State())

  /// `consequence` is half a sentence for the user: what the command does without this output.
  init(_ console: Console, afterFailure consequence: String) {
    (self.console, self.consequence) = (console, consequence)
  }

  /// The error, unless only the reader has left.
  var failure: OutputFailure? { state.withLock(\.failure) }

  func put(_ bytes: [UInt8], to stream: Output.Stream = .standardOutput) async {
    guard state.withLock({ !$0.ended.contains(stream) }) else { return }
    do {
      try await Output.put(bytes, to: stream)
    } catch {
      let failure = error as? OutputFailure
      state.withLock { state in
        state.ended.insert(stream)
        state.failure = failure ?? state.failure
      }
      if let failure { console.say("\(failure); \(consequence)") }
    }
  }
}
