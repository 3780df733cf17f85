package import Jobs
package import Logging
package import Steps
import Synchronization
package import Volume

/// The one answer to whether this worker is idle, busy, halted or leaving.
///
/// The worker's own loop writes it; the sessions with the broker, its status and its commands read it, and keep no state of
/// their own about it.
package final class WorkerState: Sendable {
  /// The state at one moment.
  package struct Snapshot: Sendable {
    /// The job that the worker has, and its place in it.
    package fileprivate(set) var job: JobPlace?
    /// The beginning of the job, or of the wait for one.
    package fileprivate(set) var began = ContinuousClock.now
    /// The reason in KILLSWITCH, if that was there at the last look.
    package fileprivate(set) var haltReason: String?
    /// Why the worker ends when it has no job.
    package fileprivate(set) var departure: Departure?
    /// Whether the worker is at its end, and takes nothing any more.
    package fileprivate(set) var hasEnded = false
    /// The beginning of a decision what to do next: a look at the volume, or at a request.
    package fileprivate(set) var decidingSince: ContinuousClock.Instant?
    /// The time of the last change of ``status``.
    package fileprivate(set) var statusSince = Timestamp.now

    /// Whether the worker has a job.
    package var isBusy: Bool { job != nil }
    /// Whether a request may be offered to the worker.
    package var takesRequests: Bool { job == nil && !hasEnded }
    /// The state as it is published.
    package var status: WorkerStatus.State { isBusy ? .busy : haltReason != nil ? .halted : .idle }
  }

  /// Why a worker ends although it was not told so by a signal.
  package enum Departure: Sendable {
    /// To read its settings again in its next process.
    case reload
    /// For good.
    case drained
  }

  /// The number of cancellations that are remembered: an idle worker receives those that are meant for other workers, too.
  static let mostCancellations = 1000

  private struct State {
    var snapshot = Snapshot()
    var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
    var lastListener = 0
    var cancellations = WorkerState.makeCancellations()
  }

  private let state = Mutex(State())
  private let stop: StopRequest
  private let killSwitch: KillSwitch
  private let logger: Logger

  /// The state of an idle worker that `stop` ends and that a KILLSWITCH in the volume of `ledger` halts.
  package init(_ ledger: Ledger, stop: StopRequest, logger: Logger) {
    killSwitch = ledger.killSwitch
    self.stop = stop
    self.logger = logger
  }

  // MARK: Reading

  /// The state now.
  package var snapshot: Snapshot { state.withLock { $0.snapshot } }

  /// Whether the worker ends when it has no job, whatever else arrives: a signal or a command said so.
  package var isLeaving: Bool { stop.isShutdown || snapshot.departure != nil }

  /// Whether a worker that leaves does not come back.
  package var leavesForGood: Bool { stop.isShutdown || snapshot.departure == .drained }

  /// The state now, and then at every change of it; a slow reader misses all but the latest. Ends with ``end()``.
  package func changes() -> some AsyncSequence<Snapshot, Never> & Sendable {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    continuation.yield()
    let listener = state.withLock { state -> Int? in
      guard !state.snapshot.hasEnded else { return nil }
      state.lastListener += 1
      state.listeners[state.lastListener] = continuation
      return state.lastListener
    }
    if let listener {
      continuation.onTermination = { [self] _ in state.withLock { _ = $0.listeners.removeValue(forKey: listener) } }
    } else {
      continuation.finish()
    }
    return stream.map { [self] in snapshot }
  }

  /// Returns when the worker has no job any more, and after `limit` at the latest.
  package func waitWhileBusy(atMost limit: Duration) async {
    _ = await wait(atMost: limit) { [self] in
      for await snapshot in changes() where !snapshot.isBusy { return }
    }
  }

  // MARK: Writing

  private func change(_ body: (inout Snapshot) -> Void) {
    let listeners = state.withLock { state in
      let status = state.snapshot.status
      body(&state.snapshot)
      if state.snapshot.status != status { state.snapshot.statusSince = .now }
      return state.listeners.values
    }
    // Not under the lock: to resume a task takes a lock under which its cancellation calls `onTermination`.
    for listener in listeners { listener.yield() }
  }

  /// The worker has a job now.
  package func begin(_ place: JobPlace) {
    change { snapshot in
      (snapshot.job, snapshot.began, snapshot.decidingSince) = (place, .now, nil)
    }
  }

  /// The worker's job is at `place` now.
  package func move(to place: JobPlace) {
    change { if $0.isBusy { $0.job = place } }
  }

  /// The worker is done with its job. Cancellations up to now were meant for it, or for nobody here.
  package func finishJob() {
    state.withLock { $0.cancellations = Self.makeCancellations() }
    change { ($0.job, $0.began) = (nil, .now) }
  }

  /// The worker begins to decide what to do next, or is done with that.
  package func decides(_ isDeciding: Bool) {
    state.withLock { $0.snapshot.decidingSince = isDeciding ? .now : nil }
  }

  /// The worker ends when it has no job.
  package func leave(_ departure: Departure) {
    change { $0.departure = departure }
  }

  /// The worker is at its end.
  package func end() {
    change { $0.hasEnded = true }
    let listeners = state.withLock { state in
      defer { state.listeners = [:] }
      return state.listeners.values
    }
    for listener in listeners { listener.finish() }
  }

  // MARK: Kill switch

  /// Looks whether KILLSWITCH is there, and remembers the answer. Asks the volume, and may block.
  package func lookForKillSwitch() -> Bool {
    let reason = killSwitch.reason(logger)
    if reason != snapshot.haltReason { change { $0.haltReason = reason } }
    return reason != nil
  }

  /// Looks for the end of a halt four times a second while there is one and the worker has no job.
  package func watchHalts() async {
    for await snapshot in changes() {
      while snapshot.haltReason != nil, self.snapshot.takesRequests, !Task.isCancelled {
        guard (try? await onThread { self.lookForKillSwitch() }) == true else { break }
        try? await Task.sleep(for: .milliseconds(250))
      }
    }
  }

  // MARK: Cancellations

  /// The cancellations since the last job ended. For one job: the stream ends with the task that reads it.
  package var cancellations: AsyncStream<Cancellation> { state.withLock { $0.cancellations.stream } }

  /// Somebody asked for the end of the job `id` on `topic`.
  package func cancel(_ id: JobID, by topic: String) {
    state.withLock { _ = $0.cancellations.continuation.yield(Cancellation(id, by: topic)) }
  }

  private static func makeCancellations() -> (
    stream: AsyncStream<Cancellation>, continuation: AsyncStream<Cancellation>.Continuation
  ) {
    AsyncStream.makeStream(of: Cancellation.self, bufferingPolicy: .bufferingNewest(mostCancellations))
  }
}

/// A request for the end of a job.
package struct Cancellation: Sendable {
  /// The job.
  package let id: JobID
  /// The topic on which it was asked for.
  package let by: String
  /// When this worker received it.
  package let received = ContinuousClock.now

  fileprivate init(_ id: JobID, by: String) {
    self.id = id
    self.by = by
  }
}
