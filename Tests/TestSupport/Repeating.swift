import Synchronization
import Volume

/// Runs `other` again and again on a thread of its own while `body` runs, and throws what either of them throws.
package func repeating(_ other: @escaping @Sendable () throws -> Void, while body: () throws -> Void) async throws {
  let isOver = Mutex(false)
  async let end: Void = onThread { while !isOver.withLock({ $0 }) { try other() } }
  let outcome = Result { try body() }
  isOver.withLock { $0 = true }
  try await end
  try outcome.get()
}
