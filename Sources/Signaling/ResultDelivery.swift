import JobWorker
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
  func publish(_ result: ResultMessage, as draft: Message) async throws -> MQTTError? {
    var refusal: MQTTError?
    for form in result.shorterForms {
      var message = Message(draft.topic, try form.encoded(), from: worker)
      message.retention = draft.retention
      message.properties.messageExpiry = draft.properties.messageExpiry
      message.properties.correlationData = draft.properties.correlationData
      refusal = try await publish(message)
      guard let refusal, refusal.isAboutSize else { return refusal }
    }
    return refusal
  }

  /// Publishes a message. Returns why the broker does not take it, if it does not; throws what ended the session.
  func publish(_ message: Message) async throws(MQTTError) -> MQTTError? {
    var pauses = ResultDelivery.pauses[...]
    while true {
      let code: ReasonCode
      do {
        code = try await session.publish(message)
      } catch where error.isAboutMessage {
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
    if case .usage = self { true } else { false }
  }

  fileprivate var isAboutSize: Bool { isAboutMessage }
}

extension ReasonCode {
  /// Whether the same message may be taken a moment later: unspecified error, implementation specific error, quota exceeded
  /// (MQTT 5, section 3.4.2.1).
  fileprivate var mayPass: Bool { [0x80, 0x83, 0x97].contains(rawValue) }
}
