import Jobs
import MQTT
import Synchronization
import Worker

/// The messages by which workers tell each other that something waits on the volume, on `workers/waiting`. The payload is
/// the topic filter of the workers that it is for; an empty one is for all.
///
/// An idle worker is in a group for each of its topic filters, `$share/idle-<digest>/workers/waiting`, and the broker gives
/// each message to one member of a group (MQTT 5, section 4.8.2). A worker whose job is longer than a second leaves. So
/// what a message costs does not grow with the number of workers. Whoever takes something and leaves more tells the next
/// ones. With MQTT 3.1.1, and where the broker has no shared subscriptions, each worker hears all.
final class Nudges: Sendable {
  private let session: Session
  private let state: WorkerState
  private let requests: [TopicFilter]
  private let place = Mutex(Place.outside)
  /// The topic filters of the messages that came since the worker got a job.
  private let missed = Mutex<Set<String>>([])
  /// When the last message for each topic filter was sent, or is going to be.
  private let last = Mutex<[String: ContinuousClock.Instant]>([:])
  private let messages: AsyncStream<String>.Continuation
  /// The topic filters in the messages that have come.
  let heard: AsyncStream<String>

  private enum Place {
    /// Every worker hears all, or this one has not subscribed yet.
    case outside
    case inGroups, leftGroups
  }

  /// The least time between two messages for one topic filter.
  private static let interval = Duration.milliseconds(100)
  /// A shorter job is not worth leaving the groups for.
  private static let shortJob = Duration.seconds(1)

  /// Nudges over `session`, for and from workers of these topic filters.
  init(_ session: Session, requests: [TopicFilter], state: WorkerState) {
    (self.session, self.requests, self.state) = (session, requests, state)
    (heard, messages) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
  }

  // MARK: Hearing

  /// What to subscribe to at the beginning. Ask when there is a connection.
  func filters() throws -> [TopicFilter] {
    // With MQTT 3.1.1 the session of a worker that was killed never expires, and would get messages for ever.
    guard session.version == .v5, session.limits.hasSharedSubscriptions else {
      return [try TopicFilter(Topics.waiting)]
    }
    place.withLock { $0 = .inGroups }
    return try groups()
  }

  private func groups() throws -> [TopicFilter] {
    try requests.map { try TopicFilter("$share/idle-\(SessionName.mark(of: $0.text))/\(Topics.waiting)") }
  }

  /// Leaves the groups when the worker has had a job for a while, and joins them again after it.
  func followWorker() async {
    for await worker in state.changes() {
      switch place.withLock({ $0 }) {
      case .inGroups where worker.isBusy:
        await state.waitWhileBusy(atMost: Self.shortJob)
        // After a short job a worker looks at the volume anyway.
        guard state.snapshot.isBusy else {
          _ = takeMissed()
          continue
        }
        leave()
        for filter in takeMissed() { send(filter) }
      case .leftGroups where !worker.isBusy:
        // If the broker refuses them now, the worker's regular looks remain.
        _ = try? await session.subscribe(groups())
        place.withLock { $0 = .inGroups }
      default: continue
      }
    }
  }

  /// Leaves the groups, without waiting for the broker's answer.
  private func leave() {
    let isMember = place.withLock { place in
      defer { if place == .inGroups { place = .leftGroups } }
      return place == .inGroups
    }
    guard isMember, let groups = try? groups() else { return }
    for group in groups { session.leave(group) }
  }

  /// Leaves the groups for good, and tells others what came while this worker had a job.
  func close() {
    leave()
    // There is no later moment for it.
    for filter in takeMissed() { publish(filter) }
  }

  private func takeMissed() -> Set<String> {
    missed.withLock { missed in
      defer { missed = [] }
      return missed
    }
  }

  /// Takes a message. One that comes to a worker with a job waits, and goes on to others if the job is long.
  func receive(_ message: Message) {
    let filter = String(decoding: message.payload, as: UTF8.self)
    guard state.snapshot.isBusy else { return _ = messages.yield(filter) }
    // Any client may publish here.
    guard filter.isEmpty || requests.contains(where: { $0.text == filter }) else { return }
    switch place.withLock({ $0 }) {
    // The others have it, too.
    case .outside: return
    case .inGroups: missed.withLock { _ = $0.insert(filter) }
    // The broker sent it before it had the UNSUBSCRIBE.
    case .leftGroups: send(filter)
    }
  }

  /// Ends ``heard``.
  func finish() { messages.finish() }

  // MARK: Sending

  /// Tells idle workers of `filter` that something waits for them on the volume, ten times a second at most.
  func send(_ filter: String) {
    let delay: Duration? = last.withLock { last in
      let now = ContinuousClock.now
      let next = max(now, last[filter].map { $0 + Self.interval } ?? now)
      // One is going to be sent.
      if let planned = last[filter], planned > now { return nil }
      last[filter] = next
      return next - now
    }
    guard let delay else { return }
    guard delay > .zero else { return publish(filter) }
    Task {
      try await Task.sleep(for: delay)
      publish(filter)
    }
  }

  private func publish(_ filter: String) {
    let message = Message(topic: Topics.waiting, payload: Array(filter.utf8), qos: .atMostOnce)
    for _ in 0..<Topics.waitingCopies { session.send(message) }
  }
}
