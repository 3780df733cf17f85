import Foundation
public import Logging
public import MQTT
import Synchronization

/// A logger that says nothing.
public let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

extension Broker {
  /// Options for a test's own session; a client id is made up if none is given. A locked broker gives `account` its
  /// rights; an open broker accepts any client.
  public func sessionOptions(_ clientID: String? = nil, as account: String = "test") -> SessionOptions {
    let clientID = clientID ?? "\(account)-\(UUID().uuidString)"
    if let locked { return locked.sessionOptions(clientID, as: account, port: port) }
    var options = SessionOptions(host: "127.0.0.1", port: port, clientID: clientID)
    if self.options.clients == .test { options.credentials = Credentials(username: "test", password: "test") }
    return options
  }

  /// Publishes over a connection of its own, and returns the PUBACK's reason code.
  @discardableResult
  public func publish(
    _ topic: String, _ payload: String, qos: QoS = .atLeastOnce, _ retention: Retention = .notRetained,
    properties: MessageProperties = MessageProperties(), version: ProtocolVersion = .v5
  ) async throws -> ReasonCode {
    let message = Message(
      topic: topic, payload: Array(payload.utf8), qos: qos, retention: retention, properties: properties)
    return try await publish([message], version: version)[0]
  }

  /// Publishes all messages in order over one connection, each after the PUBACK of the one before.
  @discardableResult
  public func publish(
    _ messages: [Message], as account: String = "test", version: ProtocolVersion = .v5
  ) async throws -> [ReasonCode] {
    var options = sessionOptions(as: account)
    options.version = version
    options.start = .clean
    return try await Session.withSession(options, giveUpAfter: patience, logger: silent) { session in
      var codes: [ReasonCode] = []
      for message in messages { codes.append(try await session.publish(message)) }
      return codes
    }
  }

  /// Makes the durable session of a client that is not connected yet, so that messages published from now on wait for
  /// it. mosquitto 2.0.11 forgets shared subscriptions when it restarts, but not the messages that they queued.
  public func makeSession(_ clientID: String, on filter: String, expiry: UInt32 = 7 * 86400) async throws {
    var options = sessionOptions(clientID)
    options.sessionExpiry = expiry
    try await Session.withSession(options, giveUpAfter: patience, logger: silent) { session in
      try await session.subscribe(try TopicFilter(filter))
    }
  }

  /// A client that collects the messages on `filter` from now on, across restarts of a broker that keeps its sessions.
  public func collect(
    _ filter: String, as account: String = "test", version: ProtocolVersion = .v5
  ) async throws -> Collector {
    var options = sessionOptions(as: account)
    options.version = version
    options.sessionExpiry = 3600
    let collector = Collector(try Session(options, giveUpAfter: patience, logger: silent), try TopicFilter(filter))
    try await collector.subscribe()
    return collector
  }
}

/// Collects the messages of a topic filter.
public final class Collector: Sendable {
  private let session: Session
  private let filter: TopicFilter
  private let collected = Mutex<[Message]>([])

  init(_ session: Session, _ filter: TopicFilter) {
    self.session = session
    self.filter = filter
    Task { [weak self] in
      var hasConnected = false
      for await event in session.events {
        guard let self else { return }
        switch event {
        case .delivery(let delivery):
          self.collected.withLock { $0.append(delivery.message) }
          await delivery.acknowledge()
        case .connected(.new) where hasConnected:
          // The broker forgot the session.
          Task { try await self.subscribe() }
        case .connected: hasConnected = true
        case .connectionLost, .failed: break
        }
      }
    }
  }

  deinit {
    session.drop()
  }

  func subscribe() async throws {
    try await session.subscribe(filter)
  }

  /// The messages so far, in order.
  public var messages: [Message] { collected.withLock { $0 } }

  /// The messages on `topic` so far.
  public func messages(on topic: String) -> [Message] { messages.filter { $0.topic == topic } }

  /// Forgets the messages so far.
  public func clear() { collected.withLock { $0 = [] } }

  /// Waits for the first message on `topic`, or on any, for which `condition` holds.
  @discardableResult
  public func message(
    on topic: String? = nil, within limit: Duration = patience, where condition: (Message) -> Bool = { _ in true }
  ) async throws -> Message {
    try await messages(1, on: topic, within: limit, where: condition)[0]
  }

  /// Waits for at least `count` such messages, and returns all of them.
  @discardableResult
  public func messages(
    _ count: Int, on topic: String? = nil, within limit: Duration = patience,
    where condition: (Message) -> Bool = { _ in true }
  ) async throws -> [Message] {
    do {
      return try await eventually("\(count) × a message on \(topic ?? filter.text)", within: limit) {
        let found = messages.filter { (topic == nil || $0.topic == topic) && condition($0) }
        return found.count >= count ? found : nil
      }
    } catch let error as WaitedInVain {
      let seen = messages.map { "\($0.topic) \($0.text)" }.joined(separator: "\n")
      throw WaitedInVain("\(error); what came:\n\(seen)")
    }
  }
}

extension Message {
  /// The payload as text.
  public var text: String { String(decoding: payload, as: UTF8.self) }

  /// The payload as JSON; `null` when it is not.
  public var json: JSON { (try? JSON(Data(payload))) ?? .null }

  /// A message with a text.
  public init(_ topic: String, _ text: String) {
    self.init(topic: topic, payload: Array(text.utf8))
  }
}
