import Glibc
import Synchronization
import UnixSignals

/// TERM and INT, handed to whoever knows what they mean at the moment; they end the program while nobody does.
final class Interrupts: Sendable {
  typealias Handler = @Sendable () async -> Void

  private let handlers = Mutex<[Handler]>([])

  /// Listens from now on.
  init() async {
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    Task { [self] in
      for await _ in signals {
        guard let handler = handlers.withLock({ $0.last }) else { exit(ExitStatus.interrupted.rawValue) }
        // The next one must be heard while this one is still being dealt with.
        Task { await handler() }
      }
    }
  }

  /// Has `handler` called at each signal while `body` runs.
  func handled<T: Sendable>(
    by handler: @escaping Handler, during body: () async throws -> T
  ) async rethrows -> T {
    handlers.withLock { $0.append(handler) }
    defer { handlers.withLock { _ = $0.popLast() } }
    return try await body()
  }
}
