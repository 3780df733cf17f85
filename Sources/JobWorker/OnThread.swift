private import Dispatch

/// Runs work that blocks on a thread of its own, so that Swift's few cooperative threads stay free for what must not
/// wait: leases, signals, and messages.
package func onThread<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue(label: "blocking").async {
      continuation.resume(with: Result { try work() })
    }
  }
}
