package import Jobs
import MQTT

/// The workers at a broker, by their statuses and answers.
///
/// Ages are differences on one clock each, the broker's or the worker's, so no two clocks need to agree. With MQTT
/// 3.1.1, which has no message expiry, they count from the arrival here.
package struct Roster: Sendable {
  /// One worker.
  package struct Entry: Sendable {
    /// The last status.
    package internal(set) var status: WorkerStatus
    /// Whether it answered the health-check.
    package internal(set) var hasAnswered = false
    /// The start of its state; `nil` if unknown.
    package internal(set) var began: ContinuousClock.Instant?
    /// When its last message was published.
    var lastMessage: ContinuousClock.Instant

    /// Whether it is alive: it has a connection, and its heartbeat is not overdue.
    package func isAlive(at now: ContinuousClock.Instant) -> Bool {
      status.state != .offline && !isOverdue(at: now)
    }

    /// The broker drops an expired status without a message to current subscribers.
    func isOverdue(at now: ContinuousClock.Instant) -> Bool {
      status.interval.map { now - lastMessage > $0 * 3 + .seconds(1) } ?? false
    }
  }

  /// The workers by id.
  package private(set) var entries: [String: Entry] = [:]
  /// Counts workers that came, left, or answered for the first time: not heartbeats, of which a large fleet always sends
  /// some.
  private(set) var news = 0
  /// Whether a health-check was sent; the account may lack the right.
  package internal(set) var isAsked = true

  /// An empty roster.
  init() {}

  /// The live workers that did not answer.
  var silent: [String] {
    let now = ContinuousClock.now
    return entries.filter { $0.value.isAlive(at: now) && !$0.value.hasAnswered }.map(\.key)
  }

  /// Adds a message from a topic of workers, and returns the worker whose entry it changed. Ignores other messages, and
  /// those that name another worker than their topic.
  @discardableResult
  mutating func take(_ message: Message, at now: ContinuousClock.Instant = .now) -> String? {
    guard let id = Roster.worker(of: message.topic) else { return nil }
    let before = entries[id.text]?.hasAnswered
    defer { if entries[id.text]?.hasAnswered != before { news += 1 } }
    return take(message, of: id, at: now)
  }

  /// The worker whose topic this is.
  private static func worker(of topic: String) -> WorkerID? {
    let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
    return levels.count == 3 && levels[0] == "workers" ? WorkerID(String(levels[1]), host: "") : nil
  }

  private mutating func take(_ message: Message, of id: WorkerID, at now: ContinuousClock.Instant) -> String? {
    switch message.topic.split(separator: "/").last {
    case "status" where message.payload.isEmpty:
      return entries.removeValue(forKey: id.text) == nil ? nil : id.text
    case "status":
      guard let status = WorkerStatus(payload: message.payload), status.workerId == id.text else { return nil }
      take(status, message.properties.messageExpiry, now)
    case "answers":
      guard let answer = CommandAnswer(payload: message.payload), answer.workerId == id.text, answer.state != nil else {
        return nil
      }
      take(answer, of: id, now)
    default: return nil
    }
    return id.text
  }

  private mutating func take(_ status: WorkerStatus, _ expiry: UInt32?, _ now: ContinuousClock.Instant) {
    // A worker that has left for good is not listed.
    guard status.reason != WorkerStatus.Absence.left.rawValue || status.state != .offline else {
      entries[status.workerId] = nil
      return
    }
    var kept: Duration?
    if let expiry, let lifetime = status.lifetime { kept = .seconds(lifetime > expiry ? lifetime - expiry : 0) }
    // A Last Will was written long before it was published.
    let age = status.since == nil ? kept : (kept ?? .zero) + (status.ageWhenSent ?? .zero)
    let hasAnswered = entries[status.workerId]?.hasAnswered == true && status.state != .offline
    entries[status.workerId] = Entry(
      status: status, hasAnswered: hasAnswered, began: age.map { now - $0 }, lastMessage: now - (kept ?? .zero))
  }

  private mutating func take(_ answer: CommandAnswer, of id: WorkerID, _ now: ContinuousClock.Instant) {
    var entry = entries[id.text] ?? Entry(status: WorkerStatus(answer.state ?? .idle, of: id), lastMessage: now)
    entry.hasAnswered = true
    entry.lastMessage = max(entry.lastMessage, now)
    entries[id.text] = entry
  }
}

extension WorkerStatus {
  /// The age of its state when it was published, by the worker's own clock.
  fileprivate var ageWhenSent: Duration? {
    guard let since, let time, let began = Timestamp(since), let sent = Timestamp(time) else { return nil }
    return max(.zero, .milliseconds(sent.millisecondsSince1970) - .milliseconds(began.millisecondsSince1970))
  }

  /// The heartbeat interval; `nil` for a value that no worker accepts.
  fileprivate var interval: Duration? {
    guard let heartbeat, (1...86400).contains(heartbeat) else { return nil }
    return .seconds(heartbeat)
  }

  /// The message expiry in seconds.
  fileprivate var lifetime: UInt32? {
    switch state {
    case .offline: reason.flatMap { Absence(rawValue: $0) }.map { WorkerStatus.Lifetime.of($0) }
    case .idle, .busy, .halted: interval.map { WorkerStatus.Lifetime.live($0) }
    }
  }
}

/// Finds all workers by their retained statuses, and by their answers to a health-check.
package struct RollCall: Sendable {
  private enum Event: Sendable {
    case message(Message)
    case tick
    case failed(any Error)
  }

  private let client: BrokerClient
  private let patience: Duration

  /// A roll call over `client`. It ends when all workers have answered, and after `patience` at the latest.
  package init(_ client: BrokerClient, patience: Duration) {
    self.client = client
    self.patience = patience
  }

  /// Finds the workers once. Throws ``MQTTError`` if the broker refuses the subscription to statuses.
  package func take() async throws -> Roster {
    var roster = Roster()
    try await run { current, isComplete in
      // Keeping each state of it would have the next message copy the whole roster.
      if isComplete { roster = current }
      return !isComplete
    }
    return roster
  }

  /// Passes the roster to `body` when all workers have answered, and then again every quarter of a second, until `body`
  /// throws.
  package func watch(_ body: (Roster) throws -> Void) async throws {
    var last: ContinuousClock.Instant?
    try await run { roster, isComplete in
      guard isComplete else { return true }
      // A fleet may change faster than a person can read.
      if let last, ContinuousClock.now - last < .milliseconds(250) { return true }
      last = .now
      try body(roster)
      return true
    }
  }

  /// Passes the roster and whether it is complete to `body`, at every message and twenty times a second, for as long as
  /// `body` returns `true`.
  private func run(while body: (Roster, Bool) throws -> Bool) async throws {
    let (events, event) = AsyncStream.makeStream(of: Event.self)
    var tasks: [Task<Void, any Error>] = []
    defer { for task in tasks { task.cancel() } }
    func listen(_ filter: String) async throws {
      let messages = try await client.messages(on: try TopicFilter(filter))
      tasks.append(
        Task {
          do {
            for try await message in messages { event.yield(.message(message)) }
          } catch {
            event.yield(.failed(error))
          }
        })
    }
    try await listen("workers/+/status")
    var roster = Roster()
    let reach = try await ask(listen)
    roster.isAsked = reach != .forbidden
    tasks.append(
      Task {
        while !Task.isCancelled {
          event.yield(.tick)
          try await Task.sleep(for: .milliseconds(50))
        }
      })

    let start = ContinuousClock.now
    var lastNews = start
    var hasAskedAgain = false
    for await event in events {
      switch event {
      case .message(let message):
        let before = roster.news
        roster.take(message)
        if roster.news != before { lastNews = .now }
      case .failed(let error): throw error
      case .tick: break
      }
      var isComplete = ContinuousClock.now - start > patience
      // While there is news, nobody looks through the whole roster.
      if ContinuousClock.now - lastNews > .milliseconds(300) {
        let silent = reach == .forbidden ? [] : roster.silent
        if !silent.isEmpty, !hasAskedAgain {
          hasAskedAgain = true
          await askAgain(silent)
          lastNews = .now
        }
        isComplete = isComplete || (silent.isEmpty && !(reach == .workers && roster.entries.isEmpty))
      }
      guard try body(roster, isComplete) else { return }
    }
  }

  /// Whether the question reaches a worker.
  private enum Reach {
    case workers, none, forbidden
  }

  private func ask(_ listen: (String) async throws -> Void) async throws -> Reach {
    do {
      try await listen("workers/+/answers")
      let code = try await client.publish(question(on: Topics.commandsForAll))
      if !code.isFailure { return code == .noMatchingSubscribers ? .none : .workers }
    } catch MQTTError.refused {
      // Then only the statuses are known.
    }
    return .forbidden
  }

  /// Asks the workers that have a status but did not answer: they have just started, and had not subscribed yet.
  private func askAgain(_ workers: [String]) async {
    for id in workers.compactMap({ WorkerID($0, host: "") }) {
      // Best effort: the account may lack the right.
      _ = try? await client.publish(question(on: Topics.commands(for: id)))
    }
  }

  private func question(on topic: String) -> Message {
    var question = Message(topic: topic, payload: WorkerCommand.healthCheck.encoded)
    // Workers without a connection need not answer later.
    question.properties.messageExpiry = 10
    return question
  }
}
