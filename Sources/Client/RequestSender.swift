import Logging
import MQTT

/// Sends a request until a worker has taken it: at once again when nobody listens yet, when the connection was lost, and
/// now and then as long as the broker has it.
///
/// Sent twice it is run once, because it bears a key. On MQTT 3.1.1 the broker does not say that nobody listens, so that it
/// is sent again by time alone, more often.
struct RequestSender: Sendable {
  /// Where the request is.
  enum Place: Sendable, Equatable {
    /// The broker dropped it: nobody is subscribed.
    case nowhere
    /// The broker has it.
    case queued
    /// The broker refuses it for now.
    case refused(ReasonCode)
  }

  package let client: BrokerClient
  package let message: Message
  package let version: ProtocolVersion
  /// Called with each answer of the broker.
  package let report: @Sendable (Place) async -> Void

  /// Sends it again and again, until the task is canceled. Throws ``MQTTError`` when the broker will not take it.
  package func run() async throws {
    var pause = first
    let (again, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let listening = Task { [client] in
      for await _ in client.reconnections { wake.yield() }
      wake.finish()
    }
    defer { listening.cancel() }
    var wakes = again.makeAsyncIterator()
    while !Task.isCancelled {
      let place = try place(after: try await client.publish(message))
      await report(place)
      let delay = place == .queued ? pause : .seconds(1)
      if place == .queued { pause = min(pause * 2, longest) }
      let timer = Task {
        try await Task.sleep(for: delay)
        wake.yield()
      }
      defer { timer.cancel() }
      guard await wakes.next() != nil else { return }
    }
  }

  private var first: Duration { version == .v5 ? .seconds(30) : .seconds(2) }
  private var longest: Duration { version == .v5 ? .seconds(600) : .seconds(30) }

  private func place(after code: ReasonCode) throws(MQTTError) -> Place {
    let text = "publishing to '\(message.topic)': the broker answers \(code)"
    switch code {
    case .noMatchingSubscribers: return .nowhere
    case .notAuthorized: throw .refused("\(text); check the account's rights (ACL)")
    // Quota exceeded, and errors that the broker does not specify (MQTT 5, section 3.4.2.1) may pass.
    case ReasonCode(rawValue: 0x97), ReasonCode(rawValue: 0x80), ReasonCode(rawValue: 0x83): return .refused(code)
    default:
      guard code.isFailure else { return .queued }
      throw .unsupported(text)
    }
  }
}
