private import Glibc
internal import Logging

/// The session's thread: it alone touches the library, and decides when bytes move.
///
/// While a delivery is undecided nothing is read and nothing is written, so a queued PUBACK cannot leave.
final class SessionLoop {
  typealias Command = @Sendable (SessionLoop) -> Void
  typealias Answer<T> = CheckedContinuation<Result<T, MQTTError>, Never>

  enum State {
    case waiting(until: ContinuousClock.Instant)
    case connecting
    case connected(since: ContinuousClock.Instant)
    case closed
  }

  private(set) var options: SessionOptions
  private(set) var client: Mosquitto
  let mailbox: Mailbox
  private let events: AsyncStream<SessionEvent>.Continuation
  let logger: Logger
  private let giveUpAfter: Duration?
  let clock = ContinuousClock()

  var state: State
  private var giveUpAt: ContinuousClock.Instant?
  private var backoff = Backoff()
  private var witness: Witness?
  var undecided = 0
  var acknowledging: [CheckedContinuation<Void, Never>] = []
  private var refusal: MQTTError?
  var limits: SessionLimits
  /// What is known of the broker's limit from packets that it refused, if it does not announce one.
  var learnedLimit: Int?
  /// A PUBACK was sent on this connection.
  var hasAcknowledged = false
  var lastDelivery = ContinuousClock.now
  private var needsNewClient = false
  var triesAtOnce = false
  var hasToldOfRetention = false
  /// Connections running that ended over something that the library does not understand.
  var protocolErrors = 0
  private var willRetention = WillRetention()
  var opening: [Answer<Void>] = []
  var closing: [@Sendable () -> Void] = []
  var farewell: Farewell?
  var pending = PendingRequests()

  init(
    _ options: SessionOptions, _ mailbox: Mailbox, _ events: AsyncStream<SessionEvent>.Continuation,
    giveUpAfter: Duration?, logger: Logger
  ) throws(MQTTError) {
    self.options = options
    self.mailbox = mailbox
    self.events = events
    self.logger = logger
    self.giveUpAfter = giveUpAfter
    client = try Mosquitto(options)
    limits = SessionLimits(options)
    let now = clock.now
    state = .waiting(until: now)
    giveUpAt = giveUpAfter.map { now + $0 }
  }

  // MARK: The loop

  func run() {
    while true {
      if case .closed = state { return }
      if case .waiting(let instant) = state, clock.now >= instant { connect() }
      wait()
      for command in mailbox.take() { command(self) }
      move()
      checkAnswers()
      renewQuietConnection()
    }
  }

  private func wait() {
    var descriptors = [pollfd(fd: mailbox.wakeDescriptor, events: Int16(POLLIN), revents: 0)]
    if isOpen, undecided == 0 {
      var wanted = acknowledging.isEmpty ? Int16(POLLIN) : 0
      if client.wantsToWrite { wanted |= Int16(POLLOUT) }
      descriptors.append(pollfd(fd: client.socket, events: wanted, revents: 0))
    }
    poll(&descriptors, nfds_t(descriptors.count), timeout)
  }

  /// Milliseconds until something must be done without anybody asking.
  private var timeout: Int32 {
    switch state {
    case .waiting(let instant): return milliseconds(until: instant)
    // Nothing moves before somebody decides, and that wakes.
    case .connected where undecided > 0: return -1
    // The library, when it is asked, sends a ping if a whole keep-alive has passed.
    case .connecting, .connected:
      let answer = pending.isWaiting ? pending.lastAnswer + options.answerWithin : client.nextPing
      return max(100, milliseconds(until: min(client.nextPing, answer, quietUntil ?? client.nextPing)))
    case .closed: return 0
    }
  }

  private func milliseconds(until instant: ContinuousClock.Instant) -> Int32 {
    // At most a keep-alive away, or the longest back-off: milliseconds that an Int32 holds.
    let left = (instant - clock.now).components
    return max(0, Int32(left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000) + 1)
  }

  var isOpen: Bool {
    switch state {
    case .connecting, .connected: true
    case .waiting, .closed: false
    }
  }

  private func move() {
    guard isOpen, undecided == 0 else { return }
    // Whoever decides about one message after the other waits for a PUBACK that the broker does not take yet, and comes to
    // the next only then.
    if !acknowledging.isEmpty { flush() }
    guard isOpen, acknowledging.isEmpty else { return }
    step(client.read())
    // A read may have brought a message: its PUBACK is queued now, and stays there.
    guard isOpen, undecided == 0 else { return }
    flush()
    guard isOpen else { return }
    step(client.maintain())
  }

  func step(_ code: Int32) {
    let number = errno
    let inbox = client.inbox
    client.inbox = []
    for event in inbox { take(event) }
    if code != 0, isOpen { connectionEnded(client.error(code, errno: number)) }
  }

  /// Something outside of the loop found the connection to be of no use.
  func lost(_ error: MQTTError) {
    if isOpen { connectionEnded(error) }
  }

  // MARK: What the library says

  private func take(_ event: Mosquitto.Event) {
    switch event {
    case .connected(.success, let sessionPresent, let limits): accepted(sessionPresent, limits)
    case .connected(.retainNotSupported, _, _) where options.will?.retention == .retained:
      keepNothingRetained()
      options.will?.retention = .notRetained
      (needsNewClient, triesAtOnce) = (true, true)
      refusal = .unreachable("the broker takes no Last Will that is to be retained")
    case .connected(let code, _, _): refusal = MQTTError(refusing: options, code)
    case .disconnected(let code):
      guard isOpen else { return }
      if !closing.isEmpty && code == 0 { return close(with: .closed) }
      if isAboutSize(code), let size = pending.refuseLargestPublication() {
        learn(tooLarge: size)
        (needsNewClient, triesAtOnce) = (true, true)
      }
      connectionEnded(MQTTError(disconnecting: options, code) ?? client.error(code, errno: errno))
    case .published(let id, let code):
      if code.isFailure, let topic = pending.topicOfRefusal(id) {
        logger.warning("publishing to '\(topic)': the broker answers \(code); check the account's rights (ACL)")
      }
      if let size = pending.published(id, code) { learn(tooLarge: size) }
    case .subscribed(let id, let codes):
      if let refusal = pending.subscribed(id, codes) { fail(refusal) }
    case .unsubscribed(let id):
      // Over TLS one read brings several packets: whoever unsubscribed must have decided about all that came before.
      pending.unsubscribed(id)
      answerUnsubscribed()
    case .message(let message, let packetID, let isRedelivery):
      undecided += 1
      lastDelivery = clock.now
      let delivery = Delivery(
        message: message, packetID: packetID, isRedelivery: isRedelivery, connection: mailbox.connection,
        socket: client.socket, mailbox: mailbox)
      events.yield(.delivery(delivery))
    }
  }

  func answerUnsubscribed() {
    if undecided == 0 { pending.answerUnsubscribed() }
  }

  private func accepted(_ sessionPresent: Bool, _ limits: SessionLimits) {
    state = .connected(since: clock.now)
    giveUpAt = nil
    hasAcknowledged = false
    pending.listensAgain()
    lastDelivery = clock.now
    mailbox.connectionBegan()
    witness?.connectionBegan()
    self.limits = limits
    willRetention.accepted()
    if willRetention.isDemoted { self.limits.isRetainAvailable = false }
    learn(tooLarge: nil)
    // Who has a will has more to retain.
    if !self.limits.isRetainAvailable, options.will != nil { keepNothingRetained() }
    guard limits.maximumQoS != .atMostOnce else {
      return fail(MQTTError(refusing: options, ReasonCode(rawValue: 0x9B)))
    }
    logger.debug("connected", metadata: ["client": "\(options.clientID)", "session": "\(sessionPresent)"])
    // The library sends again what it was given for a broker that took more: it must forget that.
    if let limit = self.limits.maximumPacketSize, pending.refusePublications(over: limit) {
      (needsNewClient, triesAtOnce) = (true, true)
      return connectionEnded(.unreachable("what was to be published is too large for the broker, which was exchanged"))
    }
    opening.forEach { $0.resume(returning: .success(())) }
    opening = []
    events.yield(.connected(sessionPresent ? .resumed : .new))
    // The broker knew nothing of these when the connection before this one was lost, or may have forgotten.
    if !pending.subscriptions.isEmpty { subscribe(pending.subscriptions, nil) }
    for command in pending.takeDeferred() { command(self) }
  }

  // MARK: Connecting and losing the connection

  /// The library repeats what it was given on each connection, and takes nothing back: only another one forgets.
  private func renewClient() throws(MQTTError) {
    needsNewClient = false
    pending.repeatPublications()
    client = try Mosquitto(options)
  }

  private func connect() {
    refusal = nil
    willRetention.hasAsked = false
    if let witness, witness.seesAnother() {
      return fail(
        .clientIDInUse(
          "the broker \(options.host):\(options.port) ends connections of client id '\(options.clientID)' and keeps others: "
            + "it gives them to another client with this id"))
    }
    do {
      state = .connecting
      try client.connect()
      willRetention.hasAsked = true
      // With TLS the library looks there whether the handshake is done, and writes nothing before.
      if options.tls != nil { step(client.read()) }
      if isOpen { step(client.write()) }
    } catch {
      connectionEnded(error)
    }
  }

  func connectionEnded(_ cause: MQTTError) {
    let error = refusal ?? cause
    refusal = nil
    forgetDeliveries()
    if case .connected(let since) = state {
      let life = clock.now - since
      if life >= .seconds(5) { backoff.reset() }
      if !options.isWitness, !triesAtOnce, life < .seconds(30) {
        if witness == nil { witness = try? Witness(options) }
      } else {
        witness = nil
      }
      giveUpAt = giveUpAfter.map { clock.now + $0 }
    }
    pending.connectionEnded()
    if !closing.isEmpty { return close(with: .closed) }
    guard error.isTransient else { return fail(error) }
    if case .connecting = state, willRetention.refused(&options) { needsNewClient = true }
    if needsNewClient || !client.isUsable {
      do { try renewClient() } catch { return fail(error) }
    }
    if let giveUpAt, clock.now >= giveUpAt { return fail(error) }
    var delay = triesAtOnce ? .zero : backoff.next()
    if let giveUpAt { delay = min(delay, giveUpAt - clock.now) }
    logger.log(
      level: triesAtOnce ? .debug : .warning, "\(error); next try in \(delay.formattedSeconds)",
      metadata: ["client": "\(options.clientID)"])
    triesAtOnce = false
    state = .waiting(until: clock.now + delay)
    events.yield(.connectionLost(error))
  }

  /// What the lost connection brought comes again on the next.
  private func forgetDeliveries() {
    mailbox.connectionEnded()
    undecided = 0
    acknowledging.forEach { $0.resume() }
    acknowledging = []
  }

  private func fail(_ error: MQTTError) {
    events.yield(.failed(error))
    close(with: error)
  }

  func close(with error: MQTTError) {
    state = .closed
    farewell?.wait(atMost: .milliseconds(300))
    farewell = nil
    forgetDeliveries()
    opening.forEach { $0.resume(returning: .failure(error)) }
    opening = []
    // Deferred requests answer their callers themselves: they find the session closed.
    for command in pending.takeDeferred() { command(self) }
    pending.fail(error)
    events.finish()
    mailbox.close(with: error)
    closing.forEach { $0() }
    closing = []
  }
}
