import JobWorker
import Logging
import MQTT
import SystemPackage

/// The session on which requests arrive, and nothing else: it can stand still for as long as a request is undecided.
///
/// While the worker is idle, requests are offered to it one at a time. When it is busy, a worker of a `$share` group keeps
/// listening and puts what still arrives into the waiting room; any other closes the connection, and the session with the
/// broker is the queue.
actor Intake {
  /// What the worker does with requests.
  private enum Mode {
    case offering, puttingDown, closed
  }

  private let options: SessionOptions
  private let filter: TopicFilter
  private let ledger: Ledger
  private let control: Control
  private let offers: AsyncStream<MQTTJobSource.Signal>.Continuation
  private let giveUpAfter: Duration?
  private let logger: Logger
  private var mode = Mode.offering
  private var session: Session?
  private var isOffering = false
  private var lastNudge: ContinuousClock.Instant?
  /// The request that this worker works on: the broker may send it again when the connection is lost.
  private var current: RequestID?

  init(
    _ options: SessionOptions, filter: TopicFilter, ledger: Ledger, control: Control,
    offers: AsyncStream<MQTTJobSource.Signal>.Continuation, giveUpAfter: Duration?, logger: Logger
  ) {
    self.options = options
    self.filter = filter
    self.ledger = ledger
    self.control = control
    self.offers = offers
    self.giveUpAfter = giveUpAfter
    self.logger = logger
  }

  /// Connects, takes what the session already holds, and subscribes.
  func open() throws(MQTTError) {
    guard mode != .closed, session == nil else { return }
    let session = try Session(options, giveUpAfter: giveUpAfter, logger: logger)
    self.session = session
    Task { await hear(session) }
    Task { [filter, offers] in
      do throws(MQTTError) {
        try await session.subscribe(filter)
      } catch {
        if error != .closed { offers.yield(.failed(error)) }
      }
    }
  }

  private func hear(_ session: Session) async {
    for await event in session.events {
      switch event {
      case .delivery(let delivery): await receive(delivery)
      case .failed(let error): offers.yield(.failed(error))
      case .connected, .connectionLost: break
      }
    }
  }

  // MARK: Requests

  private func receive(_ delivery: Delivery) async {
    guard mode != .closed else { return }
    guard !delivery.message.payload.isEmpty else { return await delivery.acknowledge() }
    if mode == .offering, ledger.directory.isHalted { return await halt() }
    let arrival: Arrival
    do {
      arrival = try Arrival(delivery, session: options.clientID)
    } catch {
      return await reject(delivery, error)
    }
    warn(about: arrival)
    switch mode {
    case .offering where !isOffering:
      isOffering = true
      offers.yield(
        .offer(
          .request(
            JobOffer(request: arrival.request, envelope: arrival.envelope) { await self.decided(arrival) })))
    case .offering, .puttingDown:
      // One read can bring two messages, from a broker that ignores Receive Maximum or over TLS. Their PUBACKs leave
      // together, so the second must be safe before the first is acknowledged.
      await putDown(arrival)
    case .closed: break
    }
  }

  private func warn(about arrival: Arrival) {
    let metadata: Logger.Metadata = ["job": "\(arrival.request.id)"]
    if !arrival.request.unknownKeys.isEmpty {
      let keys = arrival.request.unknownKeys.joined(separator: ", ")
      logger.warning("the request has keys that mean nothing here: \(keys)", metadata: metadata)
    }
    if arrival.delivery.message.qos == .atMostOnce {
      logger.warning("the request came with QoS 0 and could have been lost; publish with QoS 1", metadata: metadata)
    }
    if !filter.matches(arrival.delivery.message.topic) {
      logger.warning(
        "the request came on '\(arrival.delivery.message.topic)', from a subscription that this client id had before",
        metadata: metadata)
    }
  }

  private func decided(_ arrival: Arrival) async {
    isOffering = false
    current = arrival.envelope.requestId
    await acknowledge(arrival.delivery)
  }

  private func acknowledge(_ delivery: Delivery) async {
    await delivery.acknowledge()
    if delivery.message.retention == .retained { await control.clearRetained(delivery.message.topic) }
  }

  private func reject(_ delivery: Delivery, _ reason: InvalidJob) async {
    logger.warning("rejected a request on '\(delivery.message.topic)': \(reason)")
    let properties = delivery.message.properties
    let envelope = Envelope(
      payload: "", topic: delivery.message.topic, requestId: RequestID(""), responseTopic: properties.responseTopic,
      correlationData: properties.correlationData)
    do {
      try await control.reject(reason, answering: envelope)
    } catch {
      logger.warning("the rejection cannot be published: \(error)")
    }
    await acknowledge(delivery)
  }

  // MARK: Busy

  /// The worker has a job now.
  func workerIsBusy() async {
    guard mode == .offering else { return }
    if filter.shareName != nil || options.start == .clean {
      mode = .puttingDown
      if options.start == .clean { try? await session?.unsubscribe(filter) }
    } else {
      mode = .closed
      session?.drop()
      session = nil
    }
  }

  /// Puts a request down where any worker of this kind can take it up, so that it does not wait behind this one's job.
  private func putDown(_ arrival: Arrival) async {
    let id = arrival.request.id
    do {
      if let current, arrival.envelope.requestId.isSame(as: current.text) {
        return await acknowledge(arrival.delivery)
      }
      if try ledger.isHeld(id) {
        control.publish(JobEvent(event: .duplicate, id: id, workerId: ledger.worker.id.text))
        return await acknowledge(arrival.delivery)
      }
      try await waitForSeat()
      guard mode != .closed else { return }
      try ledger.waitingRoom.put(arrival.envelope, id)
      Checkpoint.ticketWritten.reached()
      await acknowledge(arrival.delivery)
      nudge()
      if mode == .offering { offers.yield(.offer(.look)) }
    } catch {
      // Not acknowledged, it stays with the broker.
      logger.error("a request cannot be put down: \(error)", metadata: ["job": "\(id)"])
      session?.drop()
      session = nil
    }
  }

  /// A full waiting room is enough work for everybody: the broker keeps the rest. A clean session is lost with its
  /// connection, so there everything is put down.
  private func waitForSeat() async throws {
    guard options.start == .resume else { return }
    while mode == .puttingDown, try ledger.waitingRoom.count() >= WaitingRoom.seats {
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  private func nudge() {
    let now = ContinuousClock.now
    if let lastNudge, now - lastNudge < .milliseconds(100) { return }
    lastNudge = now
    control.nudge()
  }

  // MARK: Halting and leaving

  /// With KILLSWITCH there the message stays with the broker, unacknowledged, until it is gone.
  private func halt() async {
    session?.drop()
    session = nil
    logger.notice("\(ledger.directory.killSwitch) is there: no job is taken until it is removed")
    await waitUntilNotHalted()
    do {
      try open()
    } catch {
      offers.yield(.failed(error))
    }
  }

  private func waitUntilNotHalted() async {
    while mode == .offering, ledger.directory.isHalted {
      try? await Task.sleep(for: .milliseconds(250))
    }
  }

  /// Ends the session: what is not acknowledged stays with the broker.
  func close() async {
    mode = .closed
    await session?.disconnect()
    session = nil
  }
}
