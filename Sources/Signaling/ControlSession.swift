package import Jobs
package import Logging
package import MQTT
package import Steps
package import Volume
package import Worker

/// The session for results, events, the worker's status, nudges and commands. It is separate from the session of
/// requests, which may stand still.
package final class ControlSession: Sendable {
  /// Whether the broker retains a result for later subscribers.
  package enum ResultRetention: Sendable {
    /// For this long. MQTT 3.1.1 has no message expiry, so nothing is retained there.
    case expiring(seconds: UInt32)
    /// Not at all.
    case none
  }

  package let topics: RequestTopics
  private let session: Session
  private let delivery: ResultDelivery
  private let retention: ResultRetention
  private let logger: Logger
  private let worker: WorkerID
  package let presence: Presence
  package let commands: Commands
  /// What workers tell each other of the volume.
  let nudges: Nudges

  /// Publishes over `session`, which nobody else may use.
  package init(
    _ session: Session, topics: RequestTopics, retention: ResultRetention, presence: Presence, state: WorkerState,
    logger: Logger
  ) {
    self.session = session
    self.topics = topics
    self.retention = retention
    self.presence = presence
    self.logger = logger
    worker = presence.settings.worker.id
    delivery = ResultDelivery(session, worker)
    commands = Commands(presence, state, topics: topics, logger: logger)
    nudges = Nudges(session, requests: topics.filters, state: state)
  }

  /// Waits for the connection.
  package func open() async throws(MQTTError) {
    try await session.connected()
  }

  /// Receives nudges and commands until the session ends, and reports an error that ends it.
  package func run(onFailure report: @escaping @Sendable (MQTTError) -> Void) async {
    for await event in session.events {
      switch event {
      case .delivery(let delivery):
        // The acknowledgement comes first: a command may end this session, and must not come again in the worker's next
        // process.
        await delivery.acknowledge()
        receive(delivery)
      case .failed(let error): report(error)
      case .connected: presence.connected()
      case .connectionLost: presence.disconnected()
      }
    }
    nudges.finish()
  }

  /// Subscribes to nudges and commands, with a connection. If the broker refuses nudges, the worker finds requests at its
  /// next regular look. If the broker refuses commands, they do not reach the worker. Returns when the broker has answered, or when
  /// the session has ended.
  package func subscribe() async {
    do {
      let filters = try nudges.filters() + commands.filters.map { try TopicFilter($0) }
      for refusal in try await session.subscribe(filters) {
        logger.info("commands or nudges do not reach this worker: \(refusal)")
      }
    } catch MQTTError.closed {
      return
    } catch {
      logger.info("commands and nudges do not reach this worker: \(error)")
    }
  }

  private func receive(_ delivery: Delivery) {
    if delivery.message.topic == Topics.waiting {
      nudges.receive(delivery.message)
    } else if let answer = commands.obey(delivery.message, receivedAt: delivery.received) {
      session.send(answer)
    }
  }

  /// Ends the connection. The broker keeps the session for a worker that comes back; a worker that has left needs no
  /// commands.
  package func close(_ absence: WorkerStatus.Absence) async {
    presence.end(absence)
    nudges.close()
    await session.disconnect(sessionExpiry: absence == .left ? 0 : nil)
  }

  // MARK: Results

  /// Publishes a result on the job's result topic and on the sender's response topic. Throws ``Undeliverable`` when the
  /// broker does not take the former.
  package func publish(_ result: ResultMessage, answering envelope: Envelope) async throws {
    let topic = result.id.map { topics.all.result(of: $0) } ?? topics.all.rejected
    var message = Message(topic: topic, payload: [])
    let isAnswered = await answerSender(result, message, envelope)
    if case .expiring(let seconds) = retention, result.status != .rejected {
      message.retention = .retained
      message.properties.messageExpiry = seconds
    }
    guard let refusal = try await delivery.publish(result, as: message, answering: envelope) else { return }
    throw Undeliverable(cause: refusal, senderIsAnswered: isAnswered)
  }

  /// Publishes the result on the response topic, and returns whether that worked. A failure does not hold the result
  /// back, since the sender chose the topic. No answer goes to a topic on which workers or controllers act: the sender
  /// may have no right to publish there, and would use the worker's right.
  private func answerSender(_ result: ResultMessage, _ message: Message, _ envelope: Envelope) async -> Bool {
    guard let topic = envelope.responseTopic, topic != message.topic else { return false }
    guard !topics.areActedOn(topic) else {
      logger.warning("the sender is not answered on its response topic '\(topic)', which has a meaning of its own")
      return false
    }
    var answer = message
    answer.topic = topic
    do {
      guard let refusal = try await delivery.publish(result, as: answer, answering: envelope) else { return true }
      throw refusal
    } catch {
      logger.warning("the sender's response topic cannot be answered: \(error)")
      return false
    }
  }

  /// Publishes the rejection of a request of which perhaps only the Correlation Data is known.
  package func reject(_ reason: InvalidInput, answering envelope: Envelope) async throws {
    let key = RequestID(correlationData: envelope.correlationData)
    let message = ResultMessage.rejected(
      id: reason.id, requestId: key, error: reason.description, workerID: worker.text)
    do {
      try await publish(message, answering: envelope)
    } catch let refusal as Undeliverable {
      logger.warning("the rejection cannot be published: \(refusal)")
    }
    if let id = reason.id {
      publish(JobEvent(event: .rejected, id: id, requestId: key, workerId: worker.text, error: reason.description))
    }
  }

  // MARK: Events

  /// Publishes an event without waiting for it to arrive.
  package func publish(_ event: JobEvent) {
    guard let payload = try? event.encoded() else { return }
    session.send(Message(topics.all.events(of: event.id), payload, from: worker))
  }

  /// Publishes a piece of a step's output as bytes. On MQTT 5 a user property gives its offset in the whole output.
  /// Returns when the broker has the piece, so only one piece is on its way at a time. The job continues if the broker
  /// refuses the piece.
  package func publish(_ output: StepOutput, of claim: ClaimRecord) async {
    var message = Message(topic: topics.all.log(of: claim.id, step: output.step), payload: output.bytes)
    message.properties.contentType = "application/octet-stream"
    message.properties.userProperties = [
      .mark(worker),
      UserProperty(name: "offset", value: "\(output.offset)"), UserProperty(name: "attempt", value: "\(claim.attempt)"),
      UserProperty(name: "requestId", value: claim.envelope.requestId.text),
    ]
    do {
      guard let refusal = try await delivery.publish(message) else { return }
      throw refusal
    } catch {
      logger.debug("output of a step is not published: \(error)")
    }
  }

  /// Clears the retained message of a topic, so that the broker does not send it again (MQTT 5, section 3.3.1.3). Does not
  /// wait for that: without a broker a job would wait, too. What is published after it arrives after it.
  func clearRetained(_ topic: String) {
    session.send(Message(topic: topic, payload: [], retention: .retained))
  }
}
