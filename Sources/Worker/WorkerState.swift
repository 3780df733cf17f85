package import Jobs
package import Logging
package import Steps
import Synchronization
package import Volume

/// The state of this worker: idle, busy, halted or leaving.
///
/// The worker's own loop writes most of it. The broker sessions, the status and the commands read it, and keep no copy
/// of it.
package final class WorkerState: Sendable {
  /// The state at one moment.
  package struct Snapshot: Sendable {
    /// The worker's job, and the current attempt and step.
    package fileprivate(set) var job: JobPlace?
    /// When the job began, or the wait for one.
    package fileprivate(set) var began = ContinuousClock.now
    /// The reason in KILLSWITCH; `nil` if there was no KILLSWITCH at the last look.
    package fileprivate(set) var haltReason: String?
    /// Why the worker ends once it has no job; `nil` if no command said so.
    package fileprivate(set) var departure: Departure?
    /// Whether the worker is at its end and takes no more requests.
    package fileprivate(set) var hasEnded = false
    /// When the worker began to look at the volume or at a request; `nil` while it decides nothing.
    package fileprivate(set) var decidingSince: ContinuousClock.Instant?
    /// When ``status`` last changed.
    package fileprivate(set) var statusSince = Timestamp.now

    /// Whether the worker has a job.
    package var isBusy: Bool { job != nil }
    /// Whether a request may be offered to the worker.
    package var takesRequests: Bool { job == nil && !hasEnded }
    /// The state as it is published.
    package var status: WorkerStatus.State { isBusy ? .busy : haltReason != nil ? .halted : .idle }
  }

  /// Why a worker ends without a signal.
  package enum Departure: Sendable {
    /// To read its settings again in its next process.
    case reload
    /// For good.
    case drained
    /// By a signal that lets the job come to its end.
    case finishing

    /// What the worker's status says of it.
    package var published: WorkerStatus.Leaving {
      switch self {
      case .reload: .reload
      case .drained: .drain
      case .finishing: .stop
      }
    }
  }

  /// The number of cancellations that are kept: an idle worker also receives those for other workers' jobs.
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

  /// The state of an idle worker. `stop` ends that worker, and a KILLSWITCH on the volume of `ledger` halts it.
  package init(_ ledger: Ledger, stop: StopRequest, logger: Logger) {
    killSwitch = ledger.killSwitch
    self.stop = stop
    self.logger = logger
  }

  // MARK: Reading

  /// The state now.
  package var snapshot: Snapshot { state.withLock { $0.snapshot } }

  /// Whether the worker ends once it has no job, because a signal or a command said so.
  package var isLeaving: Bool { stop.isShutdown || snapshot.departure != nil }

  /// Whether the worker leaves and does not come back.
  package var leavesForGood: Bool { stop.isShutdown || [.drained, .finishing].contains(snapshot.departure) }

  /// The state now, and then the state after each change. A slow reader gets the latest state only. The sequence ends
  /// with ``end()``.
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

  /// Returns when the worker has no job, and after `limit` at the latest.
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
    // Outside the lock: resuming a task takes the task's own lock, and a cancellation calls `onTermination` under that
    // one.
    for listener in listeners { listener.yield() }
  }

  /// Notes that the worker has a job.
  package func begin(_ place: JobPlace) {
    change { snapshot in
      (snapshot.job, snapshot.began, snapshot.decidingSince) = (place, .now, nil)
    }
  }

  /// Notes the step that the worker's job has reached.
  package func move(to place: JobPlace) {
    change { if $0.isBusy { $0.job = place } }
  }

  /// Notes that the worker's job is over. Forgets the cancellations so far: they were meant for that job, or for jobs
  /// of other workers.
  package func finishJob() {
    state.withLock { $0.cancellations = Self.makeCancellations() }
    change { ($0.job, $0.began) = (nil, .now) }
  }

  /// Notes that the worker begins to look at the volume or at a request, or that it has decided.
  package func decides(_ isDeciding: Bool) {
    state.withLock { $0.snapshot.decidingSince = isDeciding ? .now : nil }
  }

  /// Makes the worker end once it has no job.
  package func leave(_ departure: Departure) {
    change { $0.departure = departure }
  }

  /// Notes that the worker is at its end, and ends all sequences of ``changes()``.
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

  /// Looks for the end of a halt four times a second, as long as the worker is halted and has no job.
  package func watchHalts() async {
    for await snapshot in changes() {
      while snapshot.haltReason != nil, self.snapshot.takesRequests, !Task.isCancelled {
        guard (try? await onThread { self.lookForKillSwitch() }) == true else { break }
        try? await Task.sleep(for: .milliseconds(250))
      }
    }
  }

  // MARK: Cancellations

  /// The cancellations since the last job ended. Only one task may read the stream, for one job: the stream ends with
  /// that task.
  package var cancellations: AsyncStream<Cancellation> { state.withLock { $0.cancellations.stream } }

  /// Notes that a message on `topic`, which arrived at `moment`, asked for the end of the job `id`.
  package func cancel(_ id: JobID, by topic: String, receivedAt moment: ContinuousClock.Instant) {
    state.withLock { _ = $0.cancellations.continuation.yield(Cancellation(id, by: topic, moment)) }
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
  /// The topic of the message that asked for it.
  package let by: String
  /// When its message arrived, which may be long before this worker's tasks come to it.
  package let received: ContinuousClock.Instant

  fileprivate init(_ id: JobID, by: String, _ received: ContinuousClock.Instant) {
    self.id = id
    self.by = by
    self.received = received
  }
}
