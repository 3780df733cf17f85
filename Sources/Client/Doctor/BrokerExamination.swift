package import Logging
package import MQTT

/// An examination of a broker: whether it has the properties that workers need.
///
/// All messages are below one topic prefix, and all sessions have their own client ids; nothing of them remains at the
/// end. It publishes nothing to the topics of jobs or workers.
package struct BrokerExamination: Sendable {
  let options: SessionOptions
  private let prefix: String
  private let giveUpAfter: Duration
  let logger: Logger
  /// The wait for an expected message.
  static let patience: Duration = .seconds(5)
  /// The wait for a message of a broker that sends the queue of a session slowly.
  private static let longPatience: Duration = .seconds(12)

  /// An examination with sessions like `options`, those of a worker, whose client id is the prefix of all others, and with
  /// topics below `prefix`. A session without a connection for `giveUpAfter` ends its examination.
  package init(
    _ options: SessionOptions, prefix: String, giveUpAfter: Duration, logger: Logger
  ) {
    self.options = options
    self.prefix = prefix
    self.giveUpAfter = giveUpAfter
    self.logger = logger
  }

  /// Examines, and reports each finding at once. Without a connection there is only one. When `goesOn` returns false,
  /// the current examination is completed, so that nothing of it remains, and no other one starts.
  package func run(while goesOn: () -> Bool = { true }, _ report: (Finding) -> Void) async {
    do {
      report(try await connection())
    } catch {
      return report(Property.connection.finding(false, "\(error)"))
    }
    for (property, examine) in examinations where goesOn() {
      do {
        report(try await examine(property))
      } catch MQTTError.closed {
        report(property.unknown("the broker did not answer a request within \(Probe.limit)"))
      } catch {
        report(property.unknown("\(error)"))
      }
    }
  }

  private var examinations: [(Property, @Sendable (Property) async throws -> Finding)] {
    [
      (.messages, messages), (.largeMessages, largeMessages),
      (.noMatchingSubscribers, noMatchingSubscribers),
      (.sessionExpiry, sessionExpiry), (.durableSessions, durableSessions), (.redelivery, redelivery),
      (.sharedSubscriptions, sharedSubscriptions), (.queuesOfGroups, queuesOfGroups), (.handover, handover),
      (.retainedMessages, retainedMessages), (.fewRetained, fewRetained), (.messageExpiry, messageExpiry),
      (.lastWill, lastWill), (.closedToStrangers, closedToStrangers),
    ]
  }

  // MARK: Sessions

  func options(_ name: String, _ start: SessionStart = .clean) -> SessionOptions {
    var options = options
    options.clientID += "-\(name)"
    options.start = start
    options.sessionExpiry = start == .resume ? 60 : 0
    // As a worker: some brokers queue no more than this for a client that is away.
    if start == .resume { options.receiveMaximum = 1 }
    return options
  }

  func topic(_ name: String) -> String { "\(prefix)/\(name)" }

  private func with<T: Sendable>(_ options: SessionOptions, _ body: (Session) async throws -> T) async throws -> T {
    try await Session.withSession(options, giveUpAfter: giveUpAfter, logger: logger) { session in
      session.close(after: Probe.limit)
      return try await body(session)
    }
  }

  /// Opens a session that subscribes to `filter`, calls `body`, and ends the session for good.
  func listening<T: Sendable>(
    _ name: String, to filter: String, _ body: (Probe) async throws -> T
  ) async throws -> T {
    let probe = try Probe(options(name), logger: logger)
    do {
      try await probe.session.subscribe(try TopicFilter(filter))
      let result = try await body(probe)
      await probe.session.disconnect(sessionExpiry: 0)
      return result
    } catch {
      await probe.session.disconnect(sessionExpiry: 0)
      throw error
    }
  }

  /// A durable session with a subscription, like that of a worker between two processes.
  private func withDurableSession<T: Sendable>(
    _ name: String, on filter: String, _ body: (SessionOptions) async throws -> T
  ) async throws -> T {
    let options = options(name, .resume)
    return try await discarding(options) {
      try await with(options) { try await $0.subscribe(try TopicFilter(filter)) }
      return try await body(options)
    }
  }

  /// Calls `body`, and discards the session: Clean Start does that (MQTT 5, section 3.1.2.4); MQTT 3.1.1 has no other way.
  private func discarding<T>(_ options: SessionOptions, _ body: () async throws -> T) async throws -> T {
    let result: Result<T, any Error>
    do { result = .success(try await body()) } catch { result = .failure(error) }
    var former = options
    (former.start, former.sessionExpiry, former.will) = (.clean, 0, nil)
    try await with(former) { _ in }
    return try result.get()
  }

  @discardableResult
  func publish(
    _ topic: String, _ payload: [UInt8] = [49], _ retention: Retention = .notRetained, expiry: UInt32? = nil
  ) async throws -> ReasonCode {
    var message = Message(topic: topic, payload: payload, retention: retention)
    message.properties.messageExpiry = expiry
    let code = try await with(options("sender")) { try await $0.publish(message) }
    guard !code.isFailure else {
      throw MQTTError.refused("publishing to '\(topic)': the broker answers \(code); give a --topic that you may use")
    }
    return code
  }

  // MARK: Examinations

  private func connection() async throws -> Finding {
    // Connect as a worker does, with both of its sessions at once: a broker may accept one of them only, or no Last Will.
    var control = options("control", .resume)
    control.receiveMaximum = options.receiveMaximum
    control.will = Message(topic: topic("will"), payload: [49], retention: .retained)
    let requests = options("requests", .resume)
    let limits = try await with(options("connection")) { $0.limits }
    try await discarding(requests) {
      try await discarding(control) { try await with(requests) { _ in try await with(control) { _ in } } }
    }
    let version = options.version == .v5 ? "MQTT 5" : "MQTT 3.1.1"
    let protection = options.tls == nil ? "without TLS" : "with TLS"
    var facts = "\(options.host):\(options.port), \(version), \(protection)"
    if let size = limits.maximumPacketSize { facts += ", packets of \(size) bytes at most" }
    if !limits.isRetainAvailable {
      facts += ", without retained messages: workers publish statuses and results unretained"
    }
    return Property.connection.finding(true, facts)
  }

  private func sessionExpiry(_ property: Property) async throws -> Finding {
    guard options.version == .v5 else {
      return property.unknown("MQTT 3.1.1 has no such answer; see how long the broker is set to keep sessions")
    }
    var worker = options("expiry", .resume)
    worker.sessionExpiry = options.sessionExpiry
    let kept = try await discarding(worker) { try await with(worker) { $0.limits.sessionExpiry } }
    return property.finding(
      kept >= worker.sessionExpiry, "\(kept) s of the \(worker.sessionExpiry) s that workers ask for")
  }

  private func messages(_ property: Property) async throws -> Finding {
    try await listening("listener", to: topic("messages")) { probe in
      let start = ContinuousClock.now
      try await publish(topic("messages"))
      let has = try await !probe.deliveries(1, within: Self.patience).isEmpty
      let took = (ContinuousClock.now - start) / .milliseconds(1)
      return property.finding(
        has, has ? "one took \((took * 10).rounded() / 10) ms, with the connection" : "none came")
    }
  }

  private func largeMessages(_ property: Property) async throws -> Finding {
    let payload = [UInt8](repeating: 32, count: 256 << 10)
    return try await listening("listener", to: topic("large")) { probe in
      // An account without the right is told that, and nothing about sizes.
      try await publish(topic("large"))
      // A broker that refuses it may close the connection.
      let publication = Task { try await publish(topic("large"), payload) }
      defer { publication.cancel() }
      let came = try await probe.deliveries(2, within: Self.patience)
      return property.finding(came.last?.message.payload.count == payload.count)
    }
  }

  private func noMatchingSubscribers(_ property: Property) async throws -> Finding {
    guard options.version == .v5 else { return property.unknown("MQTT 3.1.1 has no such answer; use 5") }
    return property.finding(try await publish(topic("nobody")) == .noMatchingSubscribers)
  }

  private func durableSessions(_ property: Property) async throws -> Finding {
    try await queue(property, "durable", on: topic("durable"))
  }

  /// The queue of a group whose only member is away.
  private func queuesOfGroups(_ property: Property) async throws -> Finding {
    try await queue(property, "member", on: "$share/doctor/\(topic("group"))")
  }

  /// What comes of three messages that were published while the only subscriber was away.
  private func queue(_ property: Property, _ name: String, on text: String) async throws -> Finding {
    let filter = try TopicFilter(text)
    return try await withDurableSession(name, on: text) { options in
      for number in UInt8(1)...3 { try await publish(filter.pattern, [number]) }
      let start = ContinuousClock.now
      let probe = try Probe(options, logger: logger)
      var came = try await probe.deliveries(3, within: Self.patience)
      // Tell a slow broker from one that loses messages.
      if came.count < 3 { came = try await probe.deliveries(3, within: Self.longPatience) }
      let took = (ContinuousClock.now - start).components.seconds
      await probe.session.disconnect()
      let isSlow = came.count > 0 && took >= Self.patience.components.seconds
      return property.finding(
        came.map(\.message.payload) == [[1], [2], [3]],
        "\(came.count) of 3 messages came\(isSlow ? ", slowly: within \(took) s" : "")")
    }
  }

  /// What comes of a queue whose subscription ends.
  private func handover(_ property: Property) async throws -> Finding {
    let filter = try TopicFilter(topic("handover"))
    return try await withDurableSession("handover", on: filter.text) { options in
      for number in UInt8(1)...3 { try await publish(filter.text, [number]) }
      let probe = try Probe(options, logger: logger)
      try await probe.session.unsubscribe(filter)
      let came = try await probe.deliveries(3, within: Self.patience)
      await probe.session.disconnect()
      return property.finding(came.count == 3, "\(came.count) of 3 messages came after UNSUBSCRIBE")
    }
  }

  private func redelivery(_ property: Property) async throws -> Finding {
    try await withDurableSession("redelivery", on: topic("redelivery")) { options in
      try await publish(topic("redelivery"))
      let first = try Probe(options, .withheld, logger: logger)
      let came = try await first.deliveries(1, within: Self.patience)
      first.session.drop()
      guard !came.isEmpty else { return property.unknown("the message was not delivered at all") }
      let second = try Probe(options, logger: logger)
      let again = try await second.deliveries(1, within: Self.patience)
      await second.session.disconnect()
      return property.finding(!again.isEmpty)
    }
  }

  private func sharedSubscriptions(_ property: Property) async throws -> Finding {
    let filter = "$share/doctor/\(topic("shared"))"
    do {
      return try await shared(filter, property)
    } catch MQTTError.unsupported(let text) {
      return property.finding(false, text)
    }
  }

  private func shared(_ filter: String, _ property: Property) async throws -> Finding {
    try await listening("one", to: filter) { one in
      try await listening("other", to: filter) { other in
        for number in UInt8(1)...4 { try await publish(topic("shared"), [number]) }
        try await Probe.wait(Self.patience) { one.deliveries.count + other.deliveries.count >= 4 }
        // A message to both members arrives at once or not at all.
        try await Task.sleep(for: .milliseconds(200))
        let counts = [one.deliveries.count, other.deliveries.count]
        let isPlain = counts == [0, 0] ? ", as if $share were the name of an ordinary topic" : ""
        return property.finding(
          counts[0] + counts[1] == 4, "two members got \(counts[0]) and \(counts[1]) of 4 messages\(isPlain)")
      }
    }
  }

  private func closedToStrangers(_ property: Property) async throws -> Finding {
    var options = options("stranger")
    options.credentials = nil
    options.tls?.certificateFile = nil
    options.tls?.keyFile = nil
    do {
      try await with(options) { _ in }
      return property.finding(false)
    } catch MQTTError.unreachable(let text) {
      return property.unknown(text)
    } catch {
      return property.finding(true)
    }
  }
}
