import Jobs
import MQTT

/// Publishes what must arrive, and tells apart why it does not: because there is no connection, or because the broker does not
/// take this one message.
struct ResultDelivery: Sendable {
  private let session: Session
  private let worker: WorkerID
  /// Between two tries of what the broker may take in a moment.
  private static let pauses: [Duration] = [.milliseconds(200), .seconds(1)]

  init(_ session: Session, _ worker: WorkerID) {
    self.session = session
    self.worker = worker
  }

  /// Publishes a result in as many words as the broker takes. Returns why it takes none; throws what ended the session.
  package func publish(_ result: ResultMessage, as draft: Message, answering envelope: Envelope) async throws
    -> MQTTError?
  {
    var refusal: MQTTError?
    for (form, correlationData) in forms(of: result, draft, envelope) {
      var message = Message(draft.topic, try form.encoded(), from: worker)
      message.retention = draft.retention
      message.properties.messageExpiry = draft.properties.messageExpiry
      message.properties.correlationData = correlationData
      refusal = try await publish(message)
      guard let refusal, refusal.isAboutSize else { return refusal }
    }
    return refusal
  }

  /// What may be said of a result, in ever fewer words, with the Correlation Data beside it. The last does without one of the two
  /// keys, if it has both: who waits on its own topic knows its answer by Correlation Data, and everybody else by either.
  private func forms(
    of result: ResultMessage, _ draft: Message, _ envelope: Envelope
  ) -> [(ResultMessage, [UInt8]?)] {
    let data = envelope.correlationData
    var forms = result.shorterForms.map { ($0, data) }
    guard let data, let key = result.requestId, var shortest = forms.last?.0 else { return forms }
    if draft.topic == envelope.responseTopic || key.utf8.count > data.count {
      shortest.requestId = nil
      forms.append((shortest, data))
    } else {
      forms.append((shortest, nil))
    }
    return forms
  }

  /// Publishes a message. Returns why the broker does not take it, if it does not; throws what ended the session.
  package func publish(_ message: Message) async throws(MQTTError) -> MQTTError? {
    var pauses = ResultDelivery.pauses[...]
    while true {
      let code: ReasonCode
      do {
        code = try await session.publish(message)
      } catch  where error.isAboutMessage {
        return error
      }
      guard code.isFailure else { return nil }
      guard code.mayPass, let pause = pauses.popFirst() else { return MQTTError(refusing: message, code) }
      try? await Task.sleep(for: pause)
    }
  }
}

extension MQTTError {
  /// Why the broker did not take `message`, as its PUBACK says.
  fileprivate init(refusing message: Message, _ code: ReasonCode) {
    let text = "publishing to '\(message.topic)': the broker answers \(code)"
    self = code == .notAuthorized ? .refused("\(text); check the account's rights (ACL)") : .unreachable(text)
  }

  /// Whether others may be sent over the same connection.
  fileprivate var isAboutMessage: Bool {
    switch self {
    case .packetTooLarge, .usage: true
    case .unreachable, .refused, .tls, .clientIDInUse, .unsupported, .closed: false
    }
  }

  fileprivate var isAboutSize: Bool {
    if case .packetTooLarge = self { true } else { false }
  }
}

extension ReasonCode {
  /// Whether the same message may be taken a moment later: unspecified error, implementation specific error, quota exceeded
  /// (MQTT 5, section 3.4.2.1).
  fileprivate var mayPass: Bool { [0x80, 0x83, 0x97].contains(rawValue) }
}
