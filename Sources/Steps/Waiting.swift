/// Waits for `work`, but no longer than until `end` returns; returns nil if that comes first, or if the caller's task is
/// cancelled. The work is then cancelled and awaited, so it must not go on for long after that.
package func wait<T: Sendable>(
  for work: @escaping @Sendable () async throws -> T, until end: @escaping @Sendable () async throws -> Void
) async throws -> T? {
  try await withThrowingTaskGroup(of: T?.self) { group in
    group.addTask { try await work() }
    group.addTask {
      try await end()
      return nil
    }
    defer { group.cancelAll() }
    do {
      return try await group.next() ?? nil
    } catch {
      guard Task.isCancelled else { throw error }
      return nil
    }
  }
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
/// The tasks share one thread, ``TaskThread/watching``, and go on while the caller waits for a volume that does not answer.
/// They must not block that thread; this function returns only when what they await has ended, too.
package func withTasks<T>(_ tasks: [@Sendable () async -> Void], _ body: () async throws -> T) async throws -> T {
  try await withThrowingDiscardingTaskGroup { group in
    for task in tasks { group.addTask(executorPreference: TaskThread.watching) { await task() } }
    defer { group.cancelAll() }
    return try await body()
  }
}
