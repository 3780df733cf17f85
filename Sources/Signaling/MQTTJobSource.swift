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

  private let options: SessionOptions
  private let filter: TopicFilter
  private let intake: Intake
  private let control: Control
  private let adopter: Adopter
  private let membership: Attendance
  private let stop: StopRequest
  private let ledger: Ledger
  private let signals: AsyncStream<Signal>
  private let sender: AsyncStream<Signal>.Continuation
  private let idleTimeout: Duration?
  private let logger: Logger

  /// Requests that match `filter` and that `reader` takes, over a session opened with `options`.
  public init(
    _ options: SessionOptions, filter: TopicFilter, ledger: Ledger, control: Control, reader: RequestReader,
    stop: StopRequest, giveUpAfter: Duration?, idleTimeout: Duration?, logger: Logger
  ) {
    (signals, sender) = AsyncStream.makeStream()
    intake = Intake(
      options, filter: filter, ledger: ledger, control: control, reader: reader, signals: sender,
      giveUpAfter: giveUpAfter, logger: logger)
    adopter = Adopter(options: options, ledger: ledger, control: control, reader: reader, logger: logger)
    membership = Attendance(options, filter: filter, ledger: ledger)
    self.options = options
    self.filter = filter
    self.control = control
    self.stop = stop
    self.ledger = ledger
    self.idleTimeout = idleTimeout
    self.logger = logger
  }

  /// Connects, once no KILLSWITCH is there; from now on there is something to look at. Throws
  /// ``MQTTError/clientIDInUse(_:)`` when another connection has the id.
  public func open() async throws {
    await ledger.waitWhileHalted(logger) { [stop] in stop.level == .none }
    guard stop.level == .none else {
      sender.yield(.stopped)
      return
    }
    guard try await reachBroker() else { return }
    // What lies on the volume is older than what the broker holds.
    sender.yield(.offer(.look))
    if let former = try membership.formerSelf { try await adopter.adoptFormerSelf(former) }
    try membership.begin()
    try await intake.open()
    watch()
  }

  /// Waits for control's connection, or for a request to stop; `false` when that comes first. The connection's thread may
  /// be waiting for a name server then, and is left to it.
  private func reachBroker() async throws -> Bool {
    let (outcomes, outcome) = AsyncStream.makeStream(of: Result<Bool, MQTTError>.self)
    Task { [self] in
      do throws(MQTTError) {
        try await control.open()
        outcome.yield(.success(true))
      } catch {
        outcome.yield(.failure(naming(error)))
      }
    }
    Task { [stop] in
      await stop.raised()
      outcome.yield(.success(false))
    }
    for await result in outcomes {
      guard try result.get() else { break }
      control.listen { [sender] in sender.yield(.failed($0)) }
      return true
    }
    sender.yield(.stopped)
    return false
  }

  /// The sessions know client ids only; who reads the error knows the worker.
  private func naming(_ error: MQTTError) -> MQTTError {
    guard case .clientIDInUse(let text) = error else { return error }
    return .clientIDInUse(
      "worker id '\(ledger.worker.id)' is in use by another process: \(text); give each worker its own --id")
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
      case .offer(.look):
        guard !ledger.directory.isHalted else { continue }
        try await adopter.adoptDeparted(broker: membership.broker)
        return .look
      case .offer(let offer): return offer
      case .failed(let error): throw naming(error)
      case .idleForTooLong, .stopped: return nil
      }
    }
    return nil
  }

  /// From here on requests go to the waiting room, or stay with the broker.
  public func workerIsBusy() async {
    await intake.workerIsBusy()
  }

  /// What is asked for on the topics for that.
  public var cancellations: AsyncStream<Cancellation> { control.cancellations }

  /// Publishes an event without waiting.
  public func publish(_ event: JobEvent) async {
    control.publish(event)
  }

  /// Publishes a result and waits for its PUBACK.
  public func publish(_ result: ResultMessage, answering envelope: Envelope) async throws {
    try await control.publish(result, answering: envelope)
  }

  /// Ends both sessions. A worker that was asked to stop says that it does not come back.
  public func close() async {
    await intake.close()
    do {
      try membership.end(stop.level == .none ? .away : .left)
    } catch {
      logger.warning("\(error)")
    }
    await control.close()
  }
}
