import Jobs
import MQTT

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
