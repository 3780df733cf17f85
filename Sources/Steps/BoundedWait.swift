/// Waits for `work`, but no longer than until `end` returns; returns nil if that comes first, or if the caller's task is
/// cancelled. The work is then cancelled, and not awaited: one of its threads may be blocked on a name server, a dead volume
/// or a silent broker.
package func wait<T: Sendable>(
  for work: @escaping @Sendable () async throws -> T, until end: @escaping @Sendable () async throws -> Void
) async throws -> T? {
  let (outcomes, outcome) = AsyncThrowingStream.makeStream(of: T.self)
  let task = Task {
    do {
      outcome.yield(try await work())
    } catch {
      outcome.finish(throwing: error)
    }
  }
  let limit = Task {
    try await end()
    outcome.finish()
  }
  defer {
    task.cancel()
    limit.cancel()
  }
  for try await outcome in outcomes { return outcome }
  return nil
}

/// Waits for `work`, but no longer than `limit`; returns nil when the time is up.
package func wait<T: Sendable>(
  atMost limit: Duration, for work: @escaping @Sendable () async -> T
) async -> T? {
  // The work throws nothing.
  try? await wait(for: work) { try await Task.sleep(for: limit) }
}
