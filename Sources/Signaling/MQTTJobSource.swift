public import JobWorker
public import Logging
public import MQTT

/// Jobs over MQTT: requests from intake, answers over control, and a look at the volume whenever something may wait there.
public final class MQTTJobSource: JobSource {
  enum Signal: Sendable {
    case offer(Offer)
    case failed(MQTTError)
    case idleForTooLong
    case stopped
  }

  private let intake: Intake
  private let control: Control
  private let stop: StopRequest
  private let ledger: Ledger
  private let signals: AsyncStream<Signal>
  private let sender: AsyncStream<Signal>.Continuation
  private let idleTimeout: Duration?

  /// Requests that match `filter`, over a session opened with `options`.
  public init(
    _ options: SessionOptions, filter: TopicFilter, ledger: Ledger, control: Control, stop: StopRequest,
    giveUpAfter: Duration?, idleTimeout: Duration?, logger: Logger
  ) {
    (signals, sender) = AsyncStream.makeStream()
    intake = Intake(
      options, filter: filter, ledger: ledger, control: control, offers: sender, giveUpAfter: giveUpAfter,
      logger: logger)
    self.control = control
    self.stop = stop
    self.ledger = ledger
    self.idleTimeout = idleTimeout
  }

  /// Connects; from now on there is something to look at.
  public func open() async throws {
    // What lies on the volume is older than what the broker holds.
    sender.yield(.offer(.look))
    try await control.open()
    control.listen()
    try await intake.open()
    watch()
  }

  /// What may wait on the volume is looked at when another worker says so, and every third of a lease.
  private func watch() {
    let sender = sender
    Task { [control] in
      for await _ in control.nudged { sender.yield(.offer(.look)) }
    }
    Task { [interval = ledger.leaseDuration / 3] in
      while !Task.isCancelled {
        try await Task.sleep(for: interval)
        sender.yield(.offer(.look))
      }
    }
    Task { [stop] in
      await stop.raised()
      sender.yield(.stopped)
    }
    if let idleTimeout {
      Task {
        try await Task.sleep(for: idleTimeout)
        sender.yield(.idleForTooLong)
      }
    }
  }

  /// The next thing to look at.
  public func next() async throws -> Offer? {
    for await signal in signals {
      if stop.level > .none { return nil }
      switch signal {
      case .offer(.look) where ledger.directory.isHalted: continue
      case .offer(let offer): return offer
      case .failed(let error): throw error
      case .idleForTooLong, .stopped: return nil
      }
    }
    return nil
  }

  /// From here on requests go to the waiting room, or stay with the broker.
  public func workerIsBusy() async {
    await intake.workerIsBusy()
  }

  /// Publishes an event without waiting.
  public func publish(_ event: JobEvent) async {
    control.publish(event)
  }

  /// Publishes a result and waits for its PUBACK.
  public func publish(_ result: ResultMessage, answering envelope: Envelope) async throws {
    try await control.publish(result, answering: envelope)
  }

  /// Ends both sessions.
  public func close() async {
    await intake.close()
    await control.close()
  }
}
