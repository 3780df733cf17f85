import FileTree
import Jobs
import Logging
import SystemPackage
import Volume

/// Asks the volume again for what it did not do: it may be away for a moment.
struct VolumePatience: Sendable {
  /// For how long. After a lease without the volume another worker may have the job.
  let limit: Duration
  let logger: Logger

  /// Calls `body` until it throws no error for which `isWorthIt` is true, and a last time when the limit is over, with
  /// `isLast`.
  func asking<T>(
    while isWorthIt: (any Error) -> Bool, _ body: (_ isLast: Bool) async throws -> T
  ) async throws -> T {
    let deadline = ContinuousClock.now + limit
    while true {
      let isLast = ContinuousClock.now >= deadline
      do {
        return try await body(isLast)
      } catch {
        guard !isLast, isWorthIt(error) else { throw error }
        logger.warning("\(error); asking again")
        try await Task.sleep(for: min(limit / 10, .milliseconds(500)))
      }
    }
  }

  /// Whether an error says that the volume is away, or the device below it.
  static func isOfAbsence(_ error: any Error) -> Bool {
    let cause =
      switch error {
      case let error as VolumeError: error.cause
      case let error as FileTreeError: error.errno
      case let error as JobFailure: error.cause
      default: nil as Errno?
      }
    return cause?.saysAway ?? false
  }
}
