import MQTT

/// What the broker keeps, or publishes later: retained messages and Last Wills.
extension BrokerExamination {
  func retainedMessages(_ property: Property) async throws -> Finding {
    let topic = topic("retained")
    try await publish(topic, [49], .retained)
    let came = try await listening("late", to: topic) { try await $0.deliveries(1, within: Self.patience) }
    try await publish(topic, [], .retained)
    return property.finding(came.first?.message.retention == .retained)
  }

  /// mosquitto(8) and brokers like it count them.
  func fewRetained(_ property: Property) async throws -> Finding {
    let topic = "$SYS/broker/retained messages/count"
    let came = try await listening("count", to: topic) { try await $0.deliveries(1, within: .seconds(1)) }
    guard let text = came.first.map({ String(decoding: $0.message.payload, as: UTF8.self) }), let count = Int(text)
    else {
      return property.unknown("this broker does not say how many messages it retains")
    }
    return property.finding(count < 100_000, "\(count) messages are retained")
  }

  func messageExpiry(_ property: Property) async throws -> Finding {
    guard options.version == .v5 else { return property.unknown("MQTT 3.1.1 has none; use 5") }
    let topic = topic("expiry")
    // Wait longer than a second: brokers may check expiry about once a second.
    try await publish(topic, [49], .retained, expiry: 1)
    try await Task.sleep(for: .milliseconds(2500))
    let came = try await listening("late", to: topic) { try await $0.deliveries(1, within: .milliseconds(500)) }
    try await publish(topic, [], .retained)
    return property.finding(came.isEmpty)
  }

  func lastWill(_ property: Property) async throws -> Finding {
    try await listening("heir", to: topic("will")) { probe in
      var options = options("testator")
      options.will = Message(topic: topic("will"), payload: [49])
      let session = try Session(options, giveUpAfter: .seconds(10), logger: logger)
      try await session.connected()
      session.drop()
      return property.finding(try await !probe.deliveries(1, within: Self.patience).isEmpty)
    }
  }
}
