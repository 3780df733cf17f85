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

  /// Calls `body` again as long as it throws an error for which `isWorthIt` is true.
  func asking<T>(while isWorthIt: (any Error) -> Bool, _ body: () async throws -> T) async throws -> T {
    let deadline = ContinuousClock.now + limit
    while true {
      do {
        return try await body()
      } catch {
        guard ContinuousClock.now < deadline, isWorthIt(error) else { throw error }
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
