import Jobs
import MQTT

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
