import Jobs
import Logging
import MQTT
import Signing
import Steps
import Volume
import Worker

/// Carries out commands and answers them.
///
/// Any client that may publish to the worker's command topics is obeyed. So there are few commands, and their only
/// parameter is a job's id.
package final class Commands: Sendable {
  private let presence: Presence
  private let state: WorkerState
  private let topics: RequestTopics
  private let logger: Logger

  init(_ presence: Presence, _ state: WorkerState, topics: RequestTopics, logger: Logger) {
    self.presence = presence
    self.state = state
    self.topics = topics
    self.logger = logger
  }

  /// The topics of commands and cancellations.
  package var filters: [String] {
    [topics.all.cancel, Topics.commands(for: worker), Topics.commandsForAll]
  }

  /// Obeys a message on one of these topics, and returns the answer, if one is due. Ignores a retained message: the
  /// broker would send it to each new process of the worker.
  func obey(_ message: Message, receivedAt moment: ContinuousClock.Instant = .now) -> Message? {
    let isCommand = [Topics.commands(for: worker), Topics.commandsForAll].contains(message.topic)
    let canceled = topics.all.canceled(by: message.topic)
    guard isCommand || canceled != nil else { return nil }
    guard message.retention == .notRetained else {
      logger.warning("ignored a retained command on '\(message.topic)'; publish commands without retain")
      return nil
    }
    if let canceled {
      state.cancel(canceled, by: message.topic, receivedAt: moment)
      return nil
    }
    do {
      return answer(try obey(WorkerCommand(payload: message.payload), from: message.topic, moment), to: message)
    } catch {
      logger.warning("refused a command on '\(message.topic)': \(error)")
      return answer(CommandAnswer(.refused, to: nil, of: worker, error: error.description), to: message)
    }
  }

  private var worker: WorkerID { presence.settings.worker.id }

  private func obey(
    _ command: WorkerCommand, from topic: String, _ moment: ContinuousClock.Instant
  ) -> CommandAnswer {
    let status = presence.status
    var answer = CommandAnswer(.done, to: command.word, of: worker)
    answer.state = status.state
    switch command {
    case .healthCheck: break
    case .versionReport: answer.version = status.version
    case .statusReport: answer.status = status
    case .configReload: answer.outcome = leave(.reload)
    case .drain: answer.outcome = leave(.drained)
    case .cancel(let id):
      state.cancel(id, by: topic, receivedAt: moment)
      if state.snapshot.job?.id != id {
        answer.outcome = .refused
        answer.error = "worker \(worker) does not have the job \(id)"
      }
    }
    logger.info("obeyed the command \(command.word.rawValue): \(answer.outcome.rawValue)")
    return answer
  }

  private func leave(_ departure: WorkerState.Departure) -> CommandAnswer.Outcome {
    state.leave(departure)
    return state.snapshot.isBusy ? .later : .done
  }

  /// The answer to a command, on its response topic. The answer does not go to a topic on which workers or controllers
  /// act: the sender may have no right to publish there, and would use the worker's right.
  private func answer(_ answer: CommandAnswer, to command: Message) -> Message? {
    guard let payload = try? answer.encoded() else { return nil }
    let topic = command.properties.responseTopic.flatMap { topics.areActedOn($0) ? nil : $0 }
    var message = Message(topic ?? Topics.answers(of: worker), payload, from: worker)
    message.properties.correlationData = command.properties.correlationData
    return message
  }
}
