import JobWorker
public import Logging
public import MQTT

/// The session that publishes results, events and presence, and hears nudges and commands, so that they flow while intake
/// stands still.
public final class Control: Sendable {
  /// Whether the broker keeps a result for those who come late.
  public enum ResultRetention: Sendable {
    /// For this long. 3.1.1 has no expiry, so nothing is retained there.
    case expiring(seconds: UInt32)
    /// Not at all.
    case none
  }

  let topics: Topics
  private let session: Session
  private let retention: ResultRetention
  private let logger: Logger
  private let worker: WorkerID
  let presence: Presence
  let commands: Commands
  private let nudges: AsyncStream<Void>.Continuation
  /// A nudge from another worker: something waits on the volume.
  let nudged: AsyncStream<Void>

  /// Publishes over `session`, which must be used by nobody else.
  public init(_ session: Session, topics: Topics, retention: ResultRetention, presence: Presence, logger: Logger) {
    self.session = session
    self.topics = topics
    self.retention = retention
    self.presence = presence
    self.logger = logger
    worker = presence.settings.worker.id
    commands = Commands(presence, topics: topics, logger: logger)
    (nudged, nudges) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Waits for the connection.
  func open() async throws(MQTTError) {
    try await session.connected()
  }

  /// Hears nudges and commands from now on, and tells what ends the session. A broker that does not allow nudges costs a
  /// worker no more than the wait for its next look; one that does not allow commands, that they do not reach it. The task
  /// ends when they do, or never will.
  func listen(onFailure report: @escaping @Sendable (MQTTError) -> Void) -> Task<Void, Never> {
    Task { [session, nudges, presence] in
      for await event in session.events {
        switch event {
        case .delivery(let delivery):
          // First: a command may end this session, and must not come again in the worker's next life.
          await delivery.acknowledge()
          hear(delivery.message)
        case .failed(let error): report(error)
        case .connected: presence.connected()
        case .connectionLost: presence.disconnected()
        }
      }
      nudges.finish()
    }
    return Task { [self] in await subscribe(to: [Topics.waiting] + commands.filters) }
  }

  private func subscribe(to topics: [String]) async {
    do {
      for refusal in try await session.subscribe(topics.map { try TopicFilter($0) }) {
        logger.info("nobody can reach this worker there: \(refusal)")
      }
    } catch MQTTError.closed {
      return
    } catch {
      logger.info("nobody can reach this worker: \(error)")
    }
  }

  private func hear(_ message: Message) {
    if message.topic == Topics.waiting {
      nudges.yield()
    } else if let answer = commands.obey(message) {
      session.send(answer)
    }
  }

  /// Ends the session. It waits for a worker that comes back; one that does not has no use for commands.
  func close(_ absence: WorkerStatus.Absence) async {
    presence.end(absence)
    await session.disconnect(sessionExpiry: absence == .left ? 0 : nil)
  }

  // MARK: Results

  /// Publishes a result where everybody looks, and where the sender waits; throws when the broker refuses it.
  func publish(_ result: ResultMessage, answering envelope: Envelope) async throws {
    let payload = try result.encoded()
    let topic = result.id.map { topics.result(of: $0) } ?? topics.rejected
    var message = Message(topic: topic, payload: payload)
    message.properties.contentType = "application/json"
    if case .expiring(let seconds) = retention, result.status != .rejected {
      message.retention = .retained
      message.properties.messageExpiry = seconds
    }
    message.properties.correlationData = envelope.correlationData
    if let responseTopic = envelope.responseTopic, responseTopic != topic {
      var answer = message
      answer.topic = responseTopic
      answer.retention = .notRetained
      answer.properties.messageExpiry = nil
      await answerSender(answer)
    }
    try check(try await session.publish(message), topic)
  }

  /// The sender named the topic: that it cannot be reached is its own loss, and must not hold the result back.
  private func answerSender(_ answer: Message) async {
    do {
      try check(try await session.publish(answer), answer.topic)
    } catch {
      logger.warning("the sender's response topic cannot be answered: \(error)")
    }
  }

  private func check(_ code: ReasonCode, _ topic: String) throws(MQTTError) {
    guard code.isFailure else { return }
    let text = "publishing to '\(topic)': the broker answers \(code)"
    throw code == .notAuthorized ? .refused("\(text); check the account's rights (ACL)") : .unreachable(text)
  }

  /// Answers a request that is not run, and of which nothing may be known but its Correlation Data.
  func reject(_ reason: InvalidJob, answering envelope: Envelope) async throws {
    let key = RequestID(correlationData: envelope.correlationData)
    let message = ResultMessage.rejected(
      id: reason.id, requestId: key, error: reason.description, workerID: worker.text)
    try await publish(message, answering: envelope)
    if let id = reason.id {
      publish(JobEvent(event: .rejected, id: id, requestId: key, workerId: worker.text, error: reason.description))
    }
  }

  // MARK: Events

  /// Publishes an event without waiting for it to arrive.
  func publish(_ event: JobEvent) {
    guard let payload = try? event.encoded() else { return }
    var message = Message(topic: topics.events(of: event.id), payload: payload)
    message.properties.contentType = "application/json"
    session.send(message)
  }

  /// Publishes a piece of what a step wrote, as bytes; MQTT 5 says besides where in the whole it belongs. Returns when the
  /// broker has it: one piece at a time is on its way. A broker that refuses it costs nobody the job.
  func publish(_ output: StepOutput, of claim: ClaimRecord) async {
    var message = Message(topic: topics.log(of: claim.id, step: output.step), payload: output.bytes)
    message.properties.contentType = "application/octet-stream"
    message.properties.userProperties = [
      UserProperty(name: "offset", value: "\(output.offset)"), UserProperty(name: "attempt", value: "\(claim.attempt)"),
      UserProperty(name: "requestId", value: claim.envelope.requestId.text),
    ]
    do {
      try check(try await session.publish(message), message.topic)
    } catch {
      logger.debug("output of a step is not published: \(error)")
    }
  }

  /// Tells idle workers that something waits for them on the volume.
  func nudge() {
    session.send(Message(topic: Topics.waiting, payload: [], qos: .atMostOnce))
  }

  /// Clears the retained message of a topic, so that it does not come again (MQTT 5, section 3.3.1.3).
  func clearRetained(_ topic: String) async {
    do {
      let code = try await session.publish(Message(topic: topic, payload: [], retention: .retained))
      try check(code, topic)
    } catch {
      logger.warning("the retained request on '\(topic)' cannot be cleared, and will come again: \(error)")
    }
  }
}
