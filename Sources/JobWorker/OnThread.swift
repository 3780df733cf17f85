private import Dispatch

/// Runs work that blocks on a thread of its own, so that the thread of the tasks, or Swift's few cooperative ones, stay free
/// for what must not wait: leases, signals, and messages.
package func onThread<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue(label: "blocking").async {
      continuation.resume(with: Result { try work() })
    }
  }
}
