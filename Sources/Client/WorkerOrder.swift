package import Jobs
import MQTT

/// Sends a command to one worker, or to all, and collects their answers.
package struct WorkerOrder: Sendable {
  private let command: WorkerCommand
  private let client: BrokerClient
  private let patience: Duration

  /// A command over `client`. Answers are awaited for at most `patience`.
  package init(_ command: WorkerCommand, over client: BrokerClient, patience: Duration) {
    (self.command, self.client, self.patience) = (command, client, patience)
  }

  /// The outcome of an order.
  package struct Outcome: Sendable {
    /// The answers, by worker.
    package fileprivate(set) var answers: [String: CommandAnswer] = [:]
    /// The live workers that did not answer.
    package fileprivate(set) var silent: [String] = []
  }

  /// Sends it to the worker `id`; `nil` for all. Throws ``MQTTError`` if the account may
  /// not, or if the connection is lost for good.
  package func send(to id: WorkerID?) async throws -> Outcome {
    let roster = try await RollCall(client, patience: patience).take()
    let now = ContinuousClock.now
    var awaited = Set(roster.entries.filter { $0.value.isAlive(at: now) }.map(\.key))
    if let id { awaited.formIntersection([id.text]) }
    let messages = try await client.messages(on: try TopicFilter("workers/+/answers"))
    var order = Message(topic: id.map(Topics.commands(for:)) ?? Topics.commandsForAll, payload: command.encoded)
    // A worker that comes back later is not meant.
    order.properties.messageExpiry = 10
    let code = try await client.publish(order)
    var outcome = Outcome()
    guard code != .noMatchingSubscribers else { return outcome }
    let (answers, answer) = AsyncThrowingStream.makeStream(of: CommandAnswer?.self)
    let listening = Task {
      do {
        for try await message in messages {
          if let heard = CommandAnswer(payload: message.payload) { answer.yield(heard) }
        }
      } catch {
        answer.finish(throwing: error)
      }
    }
    let limit = Task { [patience] in
      try await Task.sleep(for: patience)
      answer.yield(nil)
    }
    defer {
      listening.cancel()
      limit.cancel()
    }
    for try await heard in answers {
      guard let heard else { break }
      guard heard.command == command.word.rawValue, id == nil || heard.workerId == id?.text else { continue }
      outcome.answers[heard.workerId] = heard
      awaited.remove(heard.workerId)
      if awaited.isEmpty { break }
    }
    outcome.silent = awaited.sorted()
    return outcome
  }
}
