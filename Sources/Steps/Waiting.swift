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

/// Runs `body` with `tasks` beside it, and cancels them when it is done; returns when all have ended.
///
/// The tasks run in the pool of threads even if the caller has a thread for itself: they go on while the caller waits for a
/// volume that does not answer.
package func withTasks<T>(_ tasks: [@Sendable () async -> Void], _ body: () async throws -> T) async throws -> T {
  try await withThrowingDiscardingTaskGroup { group in
    for task in tasks { group.addTask(executorPreference: globalConcurrentExecutor) { await task() } }
    defer { group.cancelAll() }
    return try await body()
  }
}
