import Jobs
import Logging
import MQTT
import Signing
import Steps
import Synchronization
import Volume
package import Worker

/// Why a worker ends of its own when it has no job.
package enum Departure: Sendable {
  /// So that its next process reads the settings anew.
  case reload
  /// For good.
  case drained
}

/// What a worker does about commands, and what it answers.
///
/// Everybody who may publish to the worker's command topics is obeyed, so these are few, and take nothing but a job's id.
package final class Commands: Sendable {
  /// That somebody wants the worker to end.
  let departures: AsyncStream<Departure>
  private let cancels = Mutex(Commands.makeCancels())
  private let departs: AsyncStream<Departure>.Continuation
  private let presence: Presence
  private let topics: RequestTopics
  private let logger: Logger

  init(_ presence: Presence, topics: RequestTopics, logger: Logger) {
    self.presence = presence
    self.topics = topics
    self.logger = logger
    (departures, departs) = AsyncStream.makeStream()
  }

  /// Jobs that somebody wants canceled, since the last job was done.
  package var cancellations: AsyncStream<Cancellation> { cancels.withLock { $0.stream } }

  /// What was to be canceled up to now is done. A stream that was read by a task that is cancelled has ended, too.
  func forgetCancellations() {
    cancels.withLock { $0 = Commands.makeCancels() }
  }

  /// An idle worker hears every cancellation, and reads them when it has a job: it remembers only the latest of them.
  private static func makeCancels() -> (
    stream: AsyncStream<Cancellation>, continuation: AsyncStream<Cancellation>.Continuation
  ) {
    AsyncStream.makeStream(of: Cancellation.self, bufferingPolicy: .bufferingNewest(mostCancellations))
  }

  static let mostCancellations = 1000

  private func cancel(_ id: JobID, by topic: String) {
    cancels.withLock { _ = $0.continuation.yield(Cancellation(id, by: topic)) }
  }

  /// The topics to subscribe to, besides that of nudges.
  package var filters: [String] {
    [topics.all.cancel, Topics.commands(for: worker), Topics.commandsForAll]
  }

  /// Obeys a message of one of these topics, and returns the answer, if one is due. A retained message is none: it would
  /// come again in every life.
  func obey(_ message: Message) -> Message? {
    let isCommand = [Topics.commands(for: worker), Topics.commandsForAll].contains(message.topic)
    let canceled = topics.all.canceled(by: message.topic)
    guard isCommand || canceled != nil else { return nil }
    guard message.retention == .notRetained else {
      logger.warning("ignored a retained command on '\(message.topic)'; publish commands without retain")
      return nil
    }
    if let canceled {
      cancel(canceled, by: message.topic)
      return nil
    }
    do {
      return answer(try obey(WorkerCommand(payload: message.payload), from: message.topic), to: message)
    } catch {
      logger.warning("refused a command on '\(message.topic)': \(error)")
      return answer(CommandAnswer(.refused, to: nil, of: worker, error: error.description), to: message)
    }
  }

  private var worker: WorkerID { presence.settings.worker.id }

  private func obey(_ command: WorkerCommand, from topic: String) -> CommandAnswer {
    let status = presence.status
    var answer = CommandAnswer(.done, to: command.word, of: worker)
    answer.state = status.state
    switch command {
    case .healthCheck: break
    case .versionReport: answer.version = status.version
    case .statusReport: answer.status = status
    case .configReload: answer.outcome = depart(.reload, status)
    case .drain: answer.outcome = depart(.drained, status)
    case .cancel(let id):
      cancel(id, by: topic)
      if presence.job?.id != id {
        answer.outcome = .refused
        answer.error = "worker \(worker) does not have the job \(id)"
      }
    }
    logger.info("obeyed the command \(command.word.rawValue): \(answer.outcome.rawValue)")
    return answer
  }

  private func depart(_ departure: Departure, _ status: WorkerStatus) -> CommandAnswer.Outcome {
    departs.yield(departure)
    return status.state == .busy ? .later : .done
  }

  /// The answer goes where the command's sender waits. Not to a topic on which workers or controllers act: the sender may
  /// have no right to publish there, and would do so through the worker.
  private func answer(_ answer: CommandAnswer, to command: Message) -> Message? {
    guard let payload = try? answer.encoded() else { return nil }
    let topic = command.properties.responseTopic.flatMap { topics.areActedOn($0) ? nil : $0 }
    var message = Message(topic ?? Topics.answers(of: worker), payload, from: worker)
    message.properties.correlationData = command.properties.correlationData
    return message
  }
}
