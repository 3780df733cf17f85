import Jobs
import MQTT

/// Publishes messages that must arrive. It distinguishes two failures: the connection is gone, or the broker does not
/// take this one message.
struct ResultDelivery: Sendable {
  private let session: Session
  private let worker: WorkerID
  /// The pauses between tries of a message that the broker may accept a moment later.
  private static let pauses: [Duration] = [.milliseconds(200), .seconds(1)]

  init(_ session: Session, _ worker: WorkerID) {
    self.session = session
    self.worker = worker
  }

  /// Publishes a result in the longest form that the broker takes. Returns why the broker takes no form; throws the
  /// error that ended the session.
  func publish(_ result: ResultMessage, as draft: Message, answering envelope: Envelope) async throws
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

  /// The forms of a result, longest first, with the Correlation Data. The last form omits one of the two keys if there
  /// are both: a sender that waits on its own response topic finds its answer by Correlation Data, and other readers
  /// find it by either key.
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

  /// Publishes a message. Returns why the broker does not take it, or `nil`; throws the error that ended the session.
  func publish(_ message: Message) async throws(MQTTError) -> MQTTError? {
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
  /// The refusal of `message` by the reason code of its PUBACK.
  fileprivate init(refusing message: Message, _ code: ReasonCode) {
    let text = "publishing to '\(message.topic)': the broker answers \(code)"
    self = code == .notAuthorized ? .refused("\(text); check the account's rights (ACL)") : .unreachable(text)
  }

  /// Whether the error is about one message, so that others can be sent over the same connection.
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
  /// Whether the broker may accept the same message a moment later: unspecified error, implementation specific error,
  /// quota exceeded (MQTT 5, section 3.4.2.1).
  fileprivate var mayPass: Bool { [0x80, 0x83, 0x97].contains(rawValue) }
}
