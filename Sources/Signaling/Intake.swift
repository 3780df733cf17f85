import Logging
import MQTT
import Signing
import Volume
import Worker

/// The session on which requests arrive, and nothing else: it can stand still for as long as a request is undecided.
///
/// While the worker is idle, requests are offered to it one at a time. When it is busy, a worker of a `$share` group keeps
/// listening and puts what still arrives into the waiting room; any other closes the connection, and the session with the
/// broker is the queue.
actor Intake {
  /// What is done with requests.
  private enum Mode {
    case offering, puttingDown, closed
  }

  /// Between two looks for a free seat.
  private static let betweenLooks = Duration.milliseconds(200)

  private let options: SessionOptions
  private let filter: TopicFilter
  private let ledger: Ledger
  private let control: Control
  private let reader: RequestReader
  private let handover: Handover
  private let membership: Attendance
  private let signals: AsyncStream<MQTTJobSource.Signal>.Continuation
  private let giveUpAfter: Duration?
  private let shortJob: Duration
  private let logger: Logger
  private var mode = Mode.offering
  private var session: Session?
  private var leaving: Task<Void, Never>?
  private var settling: Task<Void, Never>?
  private var isReceiving = false
  /// How many messages have come.
  private var received = 0
  private var closing: CheckedContinuation<Void, Never>?
  /// What the worker is asked to decide about.
  private var offered: Delivery?
  private var offers = 0
  private var lastNudge: ContinuousClock.Instant?
  private var seatPause: Task<Void?, Never>?
  private var busySince = ContinuousClock.now

  init(
    _ options: SessionOptions, filter: TopicFilter, ledger: Ledger, membership: Attendance, control: Control,
    reader: RequestReader, signals: AsyncStream<MQTTJobSource.Signal>.Continuation, giveUpAfter: Duration?,
    shortJob: Duration, logger: Logger
  ) {
    self.options = options
    self.filter = filter
    self.ledger = ledger
    self.membership = membership
    self.control = control
    self.reader = reader
    self.signals = signals
    self.giveUpAfter = giveUpAfter
    self.shortJob = shortJob
    self.logger = logger
    handover = Handover(
      ledger: ledger, room: ledger.waitingRoom, control: control, reader: reader, logger: logger)
  }

  /// Connects, takes what the session already holds, and subscribes.
  package func open() throws(MQTTError) {
    guard mode != .closed, session == nil else { return }
    let session = try Session(options, giveUpAfter: giveUpAfter, logger: logger)
    self.session = session
    Task { await hear(session) }
    Task { [filter, signals] in
      do throws(MQTTError) {
        try await session.subscribe(filter)
      } catch {
        if error != .closed { signals.yield(.failed(error)) }
      }
    }
  }

  private func hear(_ session: Session) async {
    for await event in session.events {
      switch event {
      case .delivery(let delivery): await receive(delivery)
      case .failed(let error): signals.yield(.failed(error))
      case .connectionLost:
        offered = nil
        // A clean session is lost with its connection: there is nothing to come back for.
        if options.start == .clean, mode == .puttingDown { session.drop() }
      case .connected(let state):
        begin(state)
      }
    }
  }

  /// Comes before what the connection brings.
  private func begin(_ state: SessionState) {
    do {
      try membership.connected(state)
    } catch {
      logger.warning("\(error): if this process is killed, a request that the broker sends again may be run again")
    }
  }

  // MARK: Idle

  private func receive(_ delivery: Delivery) async {
    isReceiving = true
    received += 1
    defer {
      isReceiving = false
      closing?.resume()
      closing = nil
    }
    guard control.topics.mayBeRequest(delivery.message) else { return await delivery.acknowledge() }
    await dispose(of: delivery)
  }

  private func dispose(of delivery: Delivery) async {
    switch mode {
    case .offering where ledger.killSwitch.isOn(logger): await halt()
    case .offering where offered == nil: await offer(delivery)
    // One read can bring two messages, from a broker that ignores Receive Maximum or over TLS. Their PUBACKs leave
    // together, so the second must be safe before the first is acknowledged.
    case .offering, .puttingDown: await putDown(delivery)
    case .closed: break
    }
  }

  private func offer(_ delivery: Delivery) async {
    let arrival: Arrival
    do {
      arrival = try Arrival(delivery, membership.epoch, reader)
    } catch {
      await handover.reject(delivery, error)
      return await acknowledge(delivery)
    }
    arrival.warn(filter, logger)
    offered = delivery
    offers += 1
    signals.yield(
      .offer(
        JobOffer(
          request: arrival.request, envelope: arrival.envelope, isCurrent: { delivery.isCurrent },
          acknowledge: { await self.decided(delivery, $0) }),
        number: offers))
  }

  private func decided(_ delivery: Delivery, _ decision: JobOffer.Decision) async {
    offered = nil
    // Before the PUBACK leaves: what it makes the broker send must not be offered to a worker that has a job.
    if decision == .claimed { stopOffering() }
    await acknowledge(delivery)
  }

  private func acknowledge(_ delivery: Delivery) async {
    await delivery.acknowledge()
    if delivery.message.retention == .retained { await control.clearRetained(delivery.message.topic) }
  }

  /// Whether the offer of that number is still undecided: a worker that found a job on the volume left it behind.
  func isOffered(_ number: Int) -> Bool {
    number == offers && offered != nil
  }

  /// The worker has no job any more, and takes requests again.
  package func workerIsIdle() async {
    await leaving?.value
    leaving = nil
    mode = .offering
    seatPause?.cancel()
    if ledger.killSwitch.isOn(logger) {
      Task { await halt() }
    } else {
      reopen()
    }
  }

  private func reopen() {
    do {
      try open()
    } catch {
      signals.yield(.failed(error))
    }
  }

  // MARK: Busy

  /// The worker has a job now.
  package func workerIsBusy() async {
    stopOffering()
    guard mode == .puttingDown else {
      session?.drop()
      session = nil
      return
    }
    // The job came from the volume, and a request was offered meanwhile. The job does not wait for it: the waiting room
    // may be full, and only workers that go on make room there.
    if let delivery = offered {
      offered = nil
      settling = Task { await putDown(delivery) }
    }
    if options.start == .clean { leaving = Task { await leaveGroup() } }
  }

  private func stopOffering() {
    guard mode == .offering else { return }
    busySince = .now
    mode = options.start == .clean || filter.shareName != nil ? .puttingDown : .closed
  }

  /// Puts a request down where any worker of this kind can take it up, so that it does not wait behind this one's job.
  private func putDown(_ delivery: Delivery) async {
    do {
      let outcome = try await handover.settle(delivery, membership.epoch) { try await self.seat() }
      guard case .settled(let ticket) = outcome else { return await dispose(of: delivery) }
      await acknowledge(delivery)
      guard ticket != nil else { return }
      nudge()
      if mode == .offering { signals.yield(.look) }
    } catch {
      // Not acknowledged, it stays with the broker.
      logger.error("a request cannot be put down, and stays with the broker: \(error)")
      session?.drop()
      session = nil
    }
  }

  /// Waits for what pays: a short job ends sooner than a request is put down and taken up again, and this worker, or the next
  /// of its name, then takes it from the broker; and a full waiting room is enough work for everybody. A clean session is lost
  /// with its connection, so there everything is put down at once.
  private func seat() async throws -> Seat {
    while mode == .puttingDown, options.start == .resume {
      let untilJobIsLong = busySince + shortJob - .now
      if untilJobIsLong <= .zero, try ledger.waitingRoom.count() < DeferredQueue.seats { break }
      let pause = Task { try? await Task.sleep(for: untilJobIsLong > .zero ? untilJobIsLong : Self.betweenLooks) }
      seatPause = pause
      await pause.value
    }
    return mode == .closed || (mode == .offering && offered == nil) ? .none : .free
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
    control.presence.lookForKillSwitch()
    await ledger.killSwitch.waitWhileOn(logger) { await self.mode == .offering }
    control.presence.lookForKillSwitch()
    reopen()
  }

  /// A clean session takes what it holds with it: nothing more may be sent to it, and what was is put down.
  private func leaveGroup() async {
    mode = .puttingDown
    guard let session else { return }
    if let delivery = offered {
      offered = nil
      await putDown(delivery)
    }
    // Each acknowledgement makes the broker send what it held back behind the message. It answers after all that it sent
    // before: when nothing came before the answer, nothing is left.
    var before: Int
    repeat {
      before = received
      do { try await session.unsubscribe(filter) } catch { break }
    } while received != before
    await session.disconnect()
    self.session = nil
    mode = .closed
  }

  /// Ends the session: what is not acknowledged stays with the broker.
  package func close() async {
    if options.start == .clean, mode == .offering { leaving = Task { await leaveGroup() } }
    await leaving?.value
    mode = .closed
    seatPause?.cancel()
    await settling?.value
    // A request that is being put down is acknowledged first: it would come again, and its result go out twice.
    if isReceiving { await withCheckedContinuation { closing = $0 } }
    await session?.disconnect()
    session = nil
  }
}
