package import Jobs
package import MQTT

/// The workers that a broker knows of, as what they tell and answer adds up.
///
/// Ages are measured by the broker's and the worker's own clocks, each for itself, so that nobody's clock needs to agree
/// with another's. On 3.1.1, where no message has an expiry, they begin with what was heard here.
package struct Roster: Sendable {
  /// One worker.
  package struct Entry: Sendable {
    /// What it told last.
    package internal(set) var status: WorkerStatus
    /// Whether it answered the health-check.
    package internal(set) var hasAnswered = false
    /// When it came to its state; `nil` if nobody can know.
    package internal(set) var began: ContinuousClock.Instant?
    /// When it was heard last.
    package var heard: ContinuousClock.Instant

    /// Whether it is there: it has a connection, and its last heartbeat is not overdue.
    package func isAlive(at now: ContinuousClock.Instant) -> Bool {
      status.state != .offline && !isOverdue(at: now)
    }

    /// The broker drops an overdue status without a word to those who have it already.
    func isOverdue(at now: ContinuousClock.Instant) -> Bool {
      status.interval.map { now - heard > $0 * 3 + .seconds(1) } ?? false
    }
  }

  /// The workers by id.
  package private(set) var entries: [String: Entry] = [:]
  /// Whether they were asked to answer; an account may have no right to.
  package internal(set) var isAsked = true

  /// Nobody yet.
  package init() {}

  /// Those who are there but did not answer.
  var silent: [String] {
    let now = ContinuousClock.now
    return entries.filter { $0.value.isAlive(at: now) && !$0.value.hasAnswered }.map(\.key)
  }

  /// Takes what came on a topic of workers, and returns whose entry it changed. What is none of a worker's messages, or
  /// speaks for another worker than its topic, is passed over.
  @discardableResult
  package mutating func take(_ message: Message, at now: ContinuousClock.Instant = .now) -> String? {
    let levels = message.topic.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard levels.count == 3, levels[0] == "workers", let id = WorkerID(levels[1], host: "") else { return nil }
    switch levels[2] {
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
    // Who left for good is nobody to wait for.
    guard status.reason != WorkerStatus.Absence.left.rawValue || status.state != .offline else {
      entries[status.workerId] = nil
      return
    }
    var kept: Duration?
    if let expiry, let lifetime = status.lifetime { kept = .seconds(lifetime > expiry ? lifetime - expiry : 0) }
    // A Last Will was written long before it was told.
    let age = status.since == nil ? kept : (kept ?? .zero) + (status.ageWhenTold ?? .zero)
    let hasAnswered = entries[status.workerId]?.hasAnswered == true && status.state != .offline
    entries[status.workerId] = Entry(
      status: status, hasAnswered: hasAnswered, began: age.map { now - $0 }, heard: now - (kept ?? .zero))
  }

  private mutating func take(_ answer: CommandAnswer, of id: WorkerID, _ now: ContinuousClock.Instant) {
    var entry = entries[id.text] ?? Entry(status: WorkerStatus(answer.state ?? .idle, of: id), heard: now)
    entry.hasAnswered = true
    entry.heard = max(entry.heard, now)
    entries[id.text] = entry
  }
}

extension WorkerStatus {
  /// How long its state had lasted when it was told, by the worker's own clock.
  fileprivate var ageWhenTold: Duration? {
    guard let since, let time, let began = Timestamp(since), let told = Timestamp(time) else { return nil }
    return max(.zero, .milliseconds(told.millisecondsSince1970) - .milliseconds(began.millisecondsSince1970))
  }

  /// How often it beats; `nil` when it says nothing that any worker could mean, for no worker takes such an interval.
  fileprivate var interval: Duration? {
    guard let heartbeat, (1...86400).contains(heartbeat) else { return nil }
    return .seconds(heartbeat)
  }

  /// For how many seconds the broker keeps it.
  fileprivate var lifetime: UInt32? {
    switch state {
    case .offline: reason.flatMap { Absence(rawValue: $0) }.map { WorkerStatus.Lifetime.of($0) }
    case .idle, .busy, .halted: interval.map { WorkerStatus.Lifetime.live($0) }
    }
  }
}

/// Finds all workers: by the statuses that the broker retains, and by their answers to a health-check.
package struct RollCall: Sendable {
  private enum Event: Sendable {
    case message(Message)
    case tick
    case failed(any Error)
  }

  private let client: BrokerClient
  private let patience: Duration

  /// Over `client`. It is over when all have answered, and after `patience` at the latest.
  package init(_ client: BrokerClient, patience: Duration) {
    self.client = client
    self.patience = patience
  }

  /// Calls once. Throws ``MQTTError`` when statuses cannot be subscribed to.
  package func take() async throws -> Roster {
    var roster = Roster()
    try await run {
      roster = $0; return $1 ? .ends : .goesOn
    }
    return roster
  }

  /// Whether a call goes on.
  package enum Course: Sendable {
    case goesOn, ends
  }

  /// Calls, and goes on to listen: calls `body` with the roster when all have answered, at every change after that, and
  /// every second, for as long as it wants.
  package func watch(_ body: (Roster) throws -> Void) async throws {
    var last: ContinuousClock.Instant?
    try await run { roster, isComplete in
      guard isComplete else { return .goesOn }
      // A fleet may change faster than anybody can read.
      if let last, ContinuousClock.now - last < .milliseconds(250) { return .goesOn }
      last = .now
      try body(roster)
      return .goesOn
    }
  }

  /// Calls `body` with the roster and whether it is complete, at every message and twenty times a second.
  private func run(_ body: (Roster, Bool) throws -> Course) async throws {
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
    let hearing = try await ask(listen)
    roster.isAsked = hearing != .forbidden
    tasks.append(
      Task {
        while !Task.isCancelled {
          event.yield(.tick)
          try await Task.sleep(for: .milliseconds(50))
        }
      })

    let start = ContinuousClock.now
    var heard = start
    var hasAskedAgain = false
    for await event in events {
      switch event {
      case .message(let message):
        if roster.take(message) != nil { heard = .now }
      case .failed(let error): throw error
      case .tick: break
      }
      let isQuiet = ContinuousClock.now - heard > .milliseconds(300)
      let hasAll =
        switch hearing {
        case .somebody: roster.silent.isEmpty && !roster.entries.isEmpty
        case .nobody: roster.silent.isEmpty
        case .forbidden: true
        }
      if isQuiet, !roster.silent.isEmpty, !hasAskedAgain, hearing != .forbidden {
        hasAskedAgain = true
        await askAgain(roster.silent)
        heard = .now
      }
      let isComplete = isQuiet && hasAll || ContinuousClock.now - start > patience
      guard try body(roster, isComplete) == .goesOn else { return }
    }
  }

  /// Whether anybody hears the question.
  private enum Hearing {
    case somebody, nobody, forbidden
  }

  private func ask(_ listen: (String) async throws -> Void) async throws -> Hearing {
    do {
      try await listen("workers/+/answers")
      let code = try await client.publish(question(on: Topics.commandsForAll))
      if !code.isFailure { return code == .noMatchingSubscribers ? .nobody : .somebody }
    } catch MQTTError.refused {
      // Then what they told is all there is.
    }
    return .forbidden
  }

  /// Asks those who had told of themselves, and were not subscribed yet when all were asked: they have just started.
  private func askAgain(_ workers: [String]) async {
    for id in workers.compactMap({ WorkerID($0, host: "") }) {
      // An account that may not has asked all the same.
      _ = try? await client.publish(question(on: Topics.commands(for: id)))
    }
  }

  private func question(on topic: String) -> Message {
    var question = Message(topic: topic, payload: WorkerCommand.healthCheck.encoded)
    // Those who are away now need not answer when they come back.
    question.properties.messageExpiry = 10
    return question
  }
}
