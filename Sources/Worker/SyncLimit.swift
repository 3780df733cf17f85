import Steps
import Synchronization

/// The time limit of an export once the job has to end.
///
/// There is no limit before that. After the job's timeout, or once somebody asks the job to end, the export has the
/// grace; after a timeout the grace counts from the export's start if that is later. So the changes of steps that were
/// ended still come back. A request to kill the job ends the export at once; if that request came before the export,
/// the export has a second at most.
final class SyncLimit: Sendable {
  private static let hurried = Duration.seconds(1)

  private let stop: StopRequest
  private let grace: Duration
  private let deadline: ContinuousClock.Instant?
  private let levelAtBegin: StopLevel
  private let begun = ContinuousClock.now
  /// When the export first noticed the request to end.
  private let asked = Mutex<ContinuousClock.Instant?>(nil)

  /// A limit for an export that begins now. The job's timeout ends the job at `deadline`.
  init(_ stop: StopRequest, grace: Duration, deadline: ContinuousClock.Instant?) {
    self.stop = stop
    self.grace = grace
    self.deadline = deadline
    levelAtBegin = stop.level
  }

  /// Whether the limit is reached. This is cheap, since the export asks before each file.
  var isReached: Bool {
    let level = stop.level
    if level == .none, deadline == nil { return false }
    let now = ContinuousClock.now
    if let deadline, now - max(deadline, begun) >= grace { return true }
    guard level > .none else { return false }
    if level == .kill, levelAtBegin < .kill { return true }
    let first = asked.withLock { first in
      if first == nil { first = now }
      return first ?? now
    }
    return now - first >= (level == .kill ? min(grace, SyncLimit.hurried) : grace)
  }
}
