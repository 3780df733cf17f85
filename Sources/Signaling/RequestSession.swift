import Logging
import MQTT
import Signing
import Steps
import Volume
import Worker

/// The session on which requests arrive, and nothing else: it can stand still for as long as a request is undecided.
///
/// A request is offered to an idle worker, one at a time. While the worker is busy, a worker of a `$share` group stays subscribed
/// and defers requests that still arrive; any other closes the connection, and the session with the broker is the queue.
actor RequestSession {
  /// The time between two looks for room in the queue of deferred requests.
  private static let betweenLooks = Duration.milliseconds(200)

  private let options: SessionOptions
  private let filter: TopicFilter
  private let ledger: Ledger
  private let control: ControlSession
  private let state: WorkerState
  private let reader: RequestReader
  private let deferral: RequestDeferral
  private let membership: BrokerMembership
  private let inbox: Inbox
  private let giveUpAfter: Duration?
  private let shortJob: Duration
  private let logger: Logger
  /// Yields when the worker's state has changed, or when a request was decided.
  private let turns: AsyncStream<Void>
  private let turn: AsyncStream<Void>.Continuation
  private let sessions: AsyncStream<Session>
  private let opened: AsyncStream<Session>.Continuation
  private var mayOpen = false
  private var session: Session?
  /// The offered request, until the worker has decided about it.
  private var undecided: Delivery?
  private var isLeavingGroup = false
  /// The number of PUBACKs on their way for requests that were offered.
  private var acknowledgements = 0
  private var isReceiving = false
  private var received = 0
  private var afterReceiving: CheckedContinuation<Void, Never>?

  init(
    _ options: SessionOptions, filter: TopicFilter, ledger: Ledger, membership: BrokerMembership,
    control: ControlSession, state: WorkerState, reader: RequestReader, inbox: Inbox, giveUpAfter: Duration?,
    shortJob: Duration, logger: Logger
  ) {
    self.options = options
    self.filter = filter
    self.ledger = ledger
    self.membership = membership
    self.control = control
    self.state = state
    self.reader = reader
    self.inbox = inbox
    self.giveUpAfter = giveUpAfter
    self.shortJob = shortJob
    self.logger = logger
    deferral = RequestDeferral(
      ledger: ledger, queue: ledger.deferredQueue, control: control, reader: reader, logger: logger)
    (sessions, opened) = AsyncStream.makeStream()
    (turns, turn) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Follows the worker's state until that ends, and then ends the session. Requests that are not acknowledged stay with the
  /// broker.
  func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask { await self.followWorker() }
      group.addTask { [state, turn] in
        for await _ in state.changes() { turn.yield() }
        turn.finish()
      }
      for await session in sessions {
        group.addTask { await self.receive(from: session) }
        group.addTask { await self.subscribe(session) }
      }
      // A session's thread may be blocked on a name server.
      group.cancelAll()
    }
  }

  // MARK: Connection

  /// Connects, takes the requests that the session already holds, and subscribes.
  func open() {
    mayOpen = true
    guard session == nil, state.snapshot.takesRequests else { return }
    do throws(MQTTError) {
      let session = try Session(options, giveUpAfter: giveUpAfter, logger: logger)
      self.session = session
      opened.yield(session)
    } catch {
      inbox.add(.failure(error))
    }
  }

  private func subscribe(_ session: Session) async {
    do {
      try await session.subscribe(filter)
    } catch MQTTError.closed {
      return
    } catch {
      inbox.add(.failure(error))
    }
  }

  /// Ends the connection: requests that are not acknowledged stay with the broker.
  private func drop() {
    forgetOffer()
    session?.drop()
    session = nil
  }

  private func receive(from session: Session) async {
    for await event in session.events {
      switch event {
      case .delivery(let delivery): await receive(delivery)
      case .failed(let error): inbox.add(.failure(error))
      case .connectionLost:
        forgetOffer()
        // A clean session is lost with its connection: there is nothing to come back for.
        if options.start == .clean, !takesRequests { session.drop() }
      case .connected(let state):
        // Comes before all that the connection brings.
        do {
          try membership.connected(state)
        } catch {
          logger.warning("\(error): if this process is killed, a request that the broker sends again may be run again")
        }
      }
    }
  }

  // MARK: The worker's state

  private func followWorker() async {
    for await _ in turns {
      let worker = state.snapshot
      if worker.isBusy {
        await leaveWork()
      } else if worker.haltReason != nil {
        dropOnceDecided()
      } else if mayOpen {
        open()
      }
    }
    await end()
  }

  /// The worker has a job. If it found that on the volume, a request may be offered still: the job does not wait for it, since
  /// only workers that go on make room in a full queue of deferred requests.
  private func leaveWork() async {
    guard defersRequests else { return dropOnceDecided() }
    await deferOffer()
    // The PUBACK of the request that the worker has taken makes the broker send what it holds back behind that.
    if options.start == .clean, isDecided { await leaveGroup() }
  }

  /// Ends the connection, but not before the PUBACK of a request that the worker has taken leaves.
  private func dropOnceDecided() {
    if inbox.withdrawOffer() { undecided = nil }
    if session != nil, isDecided { drop() }
  }

  private var isDecided: Bool { undecided == nil && acknowledgements == 0 }

  private var takesRequests: Bool { state.snapshot.takesRequests && !isLeavingGroup }

  /// Whether a busy worker keeps the requests that arrive from waiting behind its job.
  private var defersRequests: Bool { options.start == .clean || filter.shareName != nil }

  private func end() async {
    if options.start == .clean {
      await deferOffer()
      await leaveGroup()
    }
    // A request that is being deferred is acknowledged first: it would come again, and its result be published twice.
    if isReceiving { await withCheckedContinuation { afterReceiving = $0 } }
    await session?.disconnect()
    session = nil
    opened.finish()
  }

  /// Unsubscribes a clean session, which the broker forgets with all that it holds, and defers the requests that were sent to it.
  private func leaveGroup() async {
    guard let session else { return }
    isLeavingGroup = true
    defer { isLeavingGroup = false }
    // Each acknowledgement makes the broker send what it held back behind the message. It answers after all that it sent
    // before: when nothing came before the answer, nothing is left.
    var before: Int
    repeat {
      before = received
      do { try await session.unsubscribe(filter) } catch { break }
    } while received != before
    await session.disconnect()
    self.session = nil
  }

  // MARK: Offer or defer

  private func receive(_ delivery: Delivery) async {
    isReceiving = true
    received += 1
    defer {
      isReceiving = false
      afterReceiving?.resume()
      afterReceiving = nil
    }
    guard control.topics.mayBeRequest(delivery.message) else { return await delivery.acknowledge() }
    await offerOrDefer(delivery)
  }

  private func offerOrDefer(_ delivery: Delivery) async {
    if takesRequests {
      // With KILLSWITCH there the message stays with the broker, unacknowledged, until it is gone.
      if state.lookForKillSwitch() { return drop() }
      if undecided == nil { return await offer(delivery) }
    } else if !defersRequests || state.snapshot.hasEnded && options.start == .resume {
      return drop()
    }
    // One read can bring two messages, from a broker that ignores Receive Maximum or over TLS. Their PUBACKs leave together, so
    // the second must be safe before the first is acknowledged.
    await putAside(delivery)
  }

  private func offer(_ delivery: Delivery) async {
    let arrival: Arrival
    do {
      arrival = try Arrival(delivery, membership.epoch, reader)
    } catch {
      await deferral.reject(delivery, error)
      return await acknowledge(delivery)
    }
    arrival.warn(filter, logger)
    undecided = delivery
    inbox.offer(
      JobOffer(
        request: arrival.request, envelope: arrival.envelope, isCurrent: { delivery.isCurrent },
        acknowledge: { await self.decided(delivery) }))
  }

  private func decided(_ delivery: Delivery) async {
    undecided = nil
    acknowledgements += 1
    await acknowledge(delivery)
    acknowledgements -= 1
    turn.yield()
  }

  private func acknowledge(_ delivery: Delivery) async {
    await delivery.acknowledge()
    if delivery.message.retention == .retained { await control.clearRetained(delivery.message.topic) }
  }

  private func forgetOffer() {
    inbox.withdrawOffer()
    undecided = nil
    turn.yield()
  }

  private func deferOffer() async {
    guard let delivery = undecided, inbox.withdrawOffer() else { return }
    undecided = nil
    await putAside(delivery)
  }

  /// Defers a request: any worker of this kind can take it up, and it does not wait behind this worker's job.
  private func putAside(_ delivery: Delivery) async {
    do {
      let outcome = try await deferral.settle(delivery, membership.epoch) { try await self.mayDefer() }
      guard case .settled(let deferred) = outcome else { return await offerOrDefer(delivery) }
      await acknowledge(delivery)
      guard deferred != nil else { return }
      control.nudge()
      if takesRequests { inbox.add(.look) }
    } catch {
      logger.error("a request cannot be deferred, and stays with the broker: \(error)")
      drop()
      // A worker with a job sees it through first.
      if takesRequests { inbox.add(.failure(error)) }
    }
  }

  /// Waits as long as deferring does not pay: a short job ends sooner than a request is deferred and taken up again, and this
  /// worker, or the next of its name, then takes it from the broker; and a full queue is enough work for everybody. A clean session
  /// is lost with its connection, so there everything is deferred at once.
  private func mayDefer() async throws -> Bool {
    guard options.start == .resume else { return !takesRequests || undecided != nil }
    while state.snapshot.isBusy, !state.snapshot.hasEnded {
      let untilJobIsLong = state.snapshot.began + shortJob - .now
      if untilJobIsLong <= .zero, try ledger.deferredQueue.count() < DeferredQueue.capacity { return true }
      await state.waitWhileBusy(atMost: untilJobIsLong > .zero ? untilJobIsLong : Self.betweenLooks)
    }
    return takesRequests && undecided != nil
  }
}
