import MQTT
private import Synchronization

/// Sends a request until a worker has taken it: every second while there is no subscriber, at once after a
/// reconnection, and at longer intervals while the broker has it.
///
/// Because of its key it is run once. With MQTT 3.1.1 the broker does not report a missing subscriber, so the
/// intervals are shorter.
struct RequestSender: Sendable {
  /// Where the request is, by the broker's answer.
  enum Place: Sendable, Equatable {
    /// The broker dropped it: there is no subscriber.
    case noSubscriber
    /// The broker has it.
    case queued
    /// The broker refuses it for now.
    case refused(ReasonCode)
  }

  let client: BrokerClient
  let message: Message
  let version: ProtocolVersion
  let whereabouts = RequestWhereabouts()
  /// Gets each answer of the broker.
  let report: @Sendable (Place) async -> Void

  /// Sends it again and again until the task is canceled. Throws ``MQTTError`` if the broker refuses it for good.
  func run() async throws {
    var pause = first
    let (again, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let listening = Task { [client] in
      for await _ in client.reconnections { wake.yield() }
      wake.finish()
    }
    defer { listening.cancel() }
    var wakes = again.makeAsyncIterator()
    while !Task.isCancelled {
      whereabouts.note(nil)
      let code: ReasonCode
      do {
        code = try await client.publish(message)
      } catch {
        // The publication of a canceled task ends with an error.
        guard !Task.isCancelled else { return }
        if case MQTTError.unreachable = error {} else { whereabouts.forget() }
        throw error
      }
      whereabouts.note(code)
      let place = try place(after: code)
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
    switch code {
    case .noMatchingSubscribers: return .noSubscriber
    // Quota exceeded, unspecified and implementation specific errors (MQTT 5, section 3.4.2.1) may be temporary.
    case ReasonCode(rawValue: 0x97), ReasonCode(rawValue: 0x80), ReasonCode(rawValue: 0x83): return .refused(code)
    default:
      guard code.isFailure else { return .queued }
      throw .unsupported("publishing to '\(message.topic)': the broker answers \(code)")
    }
  }
}

/// Whether the broker may have a request, at each moment and for any thread.
final class RequestWhereabouts: Sendable {
  private let state = Mutex((isSent: false, wasQueued: false))

  var mayBeWithBroker: Bool { state.withLock { $0.isSent || $0.wasQueued } }

  /// Notes that the broker did not take what was sent last.
  func forget() { state.withLock { $0.isSent = false } }

  /// Notes the broker's answer; `nil` for a request that is sent, and has none yet.
  func note(_ code: ReasonCode?) {
    state.withLock { state in
      state.isSent = code == nil
      if let code { state.wasQueued = state.wasQueued || !code.isFailure && code != .noMatchingSubscribers }
    }
  }
}
