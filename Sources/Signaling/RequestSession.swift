import Jobs
import Logging
import MQTT
import Signing
import Steps
import Volume
import Worker

/// The session on which requests arrive. It carries nothing else, so it can stand still as long as a request is
/// undecided.
///
/// Requests are offered to an idle worker one at a time. When the worker gets a job, a durable session in a `$share`
/// group stays subscribed and defers the requests that still arrive. A clean session defers the requests that it was
/// sent, and ends. Any other session closes its connection, and the broker queues its requests.
actor RequestSession {
  /// The time between two looks for room in the queue of deferred requests.
  static let betweenLooks = Duration.milliseconds(200)

  let options: SessionOptions
  let filter: TopicFilter
  let rank: Inbox.Rank
  let ledger: Ledger
  let control: ControlSession
  let state: WorkerState
  let reader: RequestReader
  let deferral: RequestDeferral
  let membership: BrokerMembership
  let inbox: Inbox
  private let giveUpAfter: Duration?
  let shortJob: Duration
  let logger: Logger
  /// Yields when the worker's state has changed, or when a request has been decided.
  private let turns: AsyncStream<Void>
  let turn: AsyncStream<Void>.Continuation
  private let sessions: AsyncStream<Session>
  private let opened: AsyncStream<Session>.Continuation
  private var mayOpen = false
  var session: Session?
  /// The offered request, until the worker decides about it.
  var undecided: Delivery?
  private var isLeavingGroup = false
  /// The number of PUBACKs on their way for offered requests.
  var acknowledgements = 0
  /// The number of deliveries that are being received.
  var receiving = 0
  var received = 0
  var afterReceiving: AsyncStream<Void>.Continuation?
  /// Whether the broker has said that it holds nothing more, or has not answered in time, and nothing has been
  /// acknowledged since. A broker that does not answer is not asked again and again: less urgent jobs would never begin.
  var isAsked = false
  var afterAsking: AsyncStream<Void>.Continuation?
  private var hasWarnedOfExpiry = false
  private var hasListened = false
  /// How long the end of the worker waits for the broker.
  private static let patience = Duration.seconds(5)

  init(
    _ options: SessionOptions, filter: TopicFilter, _ rank: Inbox.Rank, ledger: Ledger,
    membership: BrokerMembership, control: ControlSession, state: WorkerState, reader: RequestReader, inbox: Inbox,
    giveUpAfter: Duration?, shortJob: Duration, logger: Logger
  ) {
    self.options = options
    self.filter = filter
    self.rank = rank
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
      ledger: ledger, filter: ledger.filter ?? "", control: control, reader: reader, logger: logger)
    (sessions, opened) = AsyncStream.makeStream()
    (turns, turn) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Follows the worker's state until the worker ends, and then ends the session. Requests that are not acknowledged
  /// stay with the broker.
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
      // A session's thread may block on a name server, so its tasks are canceled.
      group.cancelAll()
    }
  }

  // MARK: Connection

  /// Connects, receives the requests that the session already holds, and subscribes.
  func open() {
    mayOpen = true
    guard session == nil, state.snapshot.takesRequests else { return }
    do throws(MQTTError) {
      let session = try Session(options, giveUpAfter: giveUpAfter, logger: logger)
      self.session = session
      isAsked = false
      opened.yield(session)
    } catch {
      inbox.add(.failure(error))
    }
  }

  /// Whether the session has a request for the idle worker. Asks the broker for it, unless nothing can have come to wait
  /// there since its last answer; without an answer within `limit` there is none. A request that is being deferred is on
  /// the volume when this returns.
  func hasRequest(within limit: Duration) async -> Bool {
    if mayOpen, state.snapshot.haltReason == nil { open() }
    let deadline = ContinuousClock.now + limit
    while let session, undecided == nil, !isAsked || receiving > 0, ContinuousClock.now < deadline {
      isAsked = true
      guard await isAnswered(session, before: deadline) else { break }
    }
    return undecided != nil
  }

  /// Whether the broker sends all that the session holds before a request arrives, and before `deadline`.
  private func isAnswered(_ session: Session, before deadline: ContinuousClock.Instant) async -> Bool {
    let (ends, end) = AsyncStream.makeStream(of: Void.self)
    afterAsking = end
    // The session has no such subscription. The broker answers all the same, after everything that it sent before; and
    // while a request is undecided, its answer is not read.
    let other = try? TopicFilter(Topics.waiting)
    let answer: Void? = try? await wait {
      if let other { try await session.unsubscribe(other) }
    } until: {
      await wait(atMost: deadline - .now) { for await _ in ends {} }
    }
    afterAsking = nil
    return answer != nil
  }

  private func subscribe(_ session: Session) async {
    do {
      try await session.subscribe(filter)
      guard !hasListened else { return }
      hasListened = true
      logger.info("listening on \(filter.text) at \(membership.broker)")
    } catch MQTTError.closed {
      return
    } catch {
      inbox.add(.failure(error))
    }
  }

  /// Ends the connection. Requests that are not acknowledged stay with the broker.
  func drop() {
    forgetOffer()
    session?.drop()
    session = nil
  }

  func receive(from session: Session) async {
    for await event in session.events {
      switch event {
      case .failed(.clientIDInUse) where session === self.session && membership.isAdopted:
        logger.notice("another worker took this one for dead, and what was queued for it; connecting again")
        drop()
        turn.yield()
      case .failed(let error): inbox.add(.failure(error))
      // The rest of a session that was dropped does not concern the one that followed it.
      case _ where session !== self.session: continue
      case .delivery(let delivery): await receive(delivery)
      case .connectionLost:
        isAsked = false
        forgetOffer()
        // A clean session is lost with its connection, so a busy worker need not reconnect.
        if options.start == .clean, !takesRequests { session.drop() }
      case .connected(let state):
        // This event precedes all deliveries of the connection.
        warnOfExpiry(session)
        do {
          try membership.connected(state)
        } catch {
          logger.warning("\(error): if this process is killed, a request that the broker sends again may be run again")
        }
      }
    }
  }

  /// A broker may keep the session for a shorter time than it is asked for (MQTT 5, section 3.2.2.3.2).
  private func warnOfExpiry(_ session: Session) {
    let kept = session.limits.sessionExpiry
    guard options.start == .resume, kept < options.sessionExpiry, !hasWarnedOfExpiry else { return }
    hasWarnedOfExpiry = true
    logger.warning(
      """
      the broker keeps the session of a worker without a connection for \(kept) s only, not for the \
      \(options.sessionExpiry) s of --session-expiry: requests that wait longer there are lost
      """)
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

  /// Stops offering requests, because the worker has a job. If the worker took its job from the
  /// volume, a request from the broker may still be on offer; it is deferred now. The job does not wait for that: a full
  /// queue of deferred requests gets room only from workers that finish their jobs.
  private func leaveWork() async {
    guard defersRequests else { return dropOnceDecided() }
    await deferOffer()
    // After the PUBACK of the accepted request, the broker sends the messages that it held back. So leave the group
    // only after that PUBACK.
    if options.start == .clean, isDecided { await leaveGroup() }
  }

  /// Ends the connection, but not before the PUBACK of an accepted request has left, or that of a request that is just
  /// being deferred: the broker would send it again.
  private func dropOnceDecided() {
    if inbox.withdrawRequest(of: rank) { undecided = nil }
    if session != nil, isDecided, receiving == 0 { drop() }
  }

  private var isDecided: Bool { undecided == nil && acknowledgements == 0 }

  var takesRequests: Bool { state.snapshot.takesRequests && !isLeavingGroup }

  /// Whether a busy worker defers the requests that arrive, so that they do not wait for its job.
  var defersRequests: Bool { options.start == .clean || filter.shareName != nil }

  private func end() async {
    if options.start == .clean {
      await deferOffer()
      await leaveGroup()
    }
    // First wait until a request that is being deferred is acknowledged. The broker would send it again otherwise, and
    // its result would be published twice.
    if receiving > 0 { await wait(atMost: Self.patience) { await self.receivingEnds() } }
    await session?.disconnect()
    session = nil
    opened.finish()
  }

  private func receivingEnds() async {
    // The last one may have ended before this task began.
    guard receiving > 0 else { return }
    let (ends, end) = AsyncStream.makeStream(of: Void.self)
    afterReceiving = end
    for await _ in ends {}
  }

  /// Unsubscribes a clean session and defers the requests that were sent to it, since the broker forgets the session
  /// with all its messages.
  private func leaveGroup() async {
    guard let session else { return }
    isLeavingGroup = true
    defer { isLeavingGroup = false }
    // Each acknowledgement makes the broker send the messages that it held back. The broker answers UNSUBSCRIBE after
    // everything that it sent before. If no message came before the answer, none is left.
    var before: Int
    repeat {
      before = received
      // The broker may be gone.
      let answer: Void? = try? await wait(
        for: { [filter] in try await session.unsubscribe(filter) },
        until: { try await Task.sleep(for: Self.patience) })
      if answer == nil { break }
    } while received != before
    await session.disconnect()
    // The worker may have asked for a new one meanwhile.
    if self.session === session { self.session = nil }
  }
}
