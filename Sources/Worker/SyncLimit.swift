import Steps
import Synchronization

/// How long what the steps changed may be looked for and copied once the job is to end.
///
/// While the job has time, so has this. After the job's timeout, or once somebody asks for its end, it has the grace, counted
/// from its own beginning if that is later: so steps that were ended bring back what they have. To be asked for an end at once
/// ends it at once, or, if that came before it began, within a second.
final class SyncLimit: Sendable {
  private static let hurried = Duration.seconds(1)

  private let stop: StopRequest
  private let grace: Duration
  private let deadline: ContinuousClock.Instant?
  private let levelAtBegin: StopLevel
  private let begun = ContinuousClock.now
  /// When it was first seen that an end was asked for.
  private let asked = Mutex<ContinuousClock.Instant?>(nil)

  /// Begins now. `deadline` is when the job's timeout ends it.
  init(_ stop: StopRequest, grace: Duration, deadline: ContinuousClock.Instant?) {
    self.stop = stop
    self.grace = grace
    self.deadline = deadline
    levelAtBegin = stop.level
  }

  /// Whether it is over. Cheap: it is asked before each file.
  package var isReached: Bool {
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
