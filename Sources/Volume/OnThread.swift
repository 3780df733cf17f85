private import Dispatch

/// Runs blocking work on a thread of its own. Swift's pool has one thread for each core: a task that blocks one of them
/// delays the others.
package func onThread<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue(label: "blocking").async {
      continuation.resume(with: Result { try work() })
    }
  }
}
