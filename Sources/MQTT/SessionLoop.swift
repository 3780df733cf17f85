private import Glibc
internal import Logging

/// The session's thread: only it calls the library, and it decides when bytes move.
///
/// While a delivery is undecided, the loop writes nothing, so a queued PUBACK cannot be sent. It reads on only up to
/// ``SessionOptions/readsAhead``.
final class SessionLoop {
  typealias Command = @Sendable (SessionLoop) -> Void

  enum State {
    case waiting(until: ContinuousClock.Instant)
    case connecting
    case connected(since: ContinuousClock.Instant)
    case closed
  }

  var options: SessionOptions
  var client: Mosquitto
  let mailbox: Mailbox
  let events: AsyncStream<SessionEvent>.Continuation
  let logger: Logger
  var giveUpAfter: Duration?
  let clock = ContinuousClock()

  var state: State
  var giveUpAt: ContinuousClock.Instant?
  /// Since when there is no connection, once that was logged.
  var lostAt: ContinuousClock.Instant?
  var backoff = Backoff()
  var witness: Witness?
  /// A connection of MQTT 3.1.1, to find out whether the broker speaks nothing else.
  var trial: Witness?
  var undecided = 0
  var acknowledging: [CheckedContinuation<Void, Never>] = []
  /// Acknowledged packet identifiers whose PUBACKs wait until all deliveries of the same read are decided.
  var withheld: [UInt16] = []
  var refusal: MQTTError?
  var limits: SessionLimits
  /// The broker's limit, learned from packets that it refused, if it announces none.
  var learnedLimit: Int?
  /// Whether a PUBACK was sent on this connection.
  var hasAcknowledged = false
  var lastDelivery = ContinuousClock.now
  var needsNewClient = false
  var triesAtOnce = false
  var hasWarnedOfRetention = false
  /// The number of connections in succession that ended with a protocol error.
  var protocolErrors = 0
  var willRetention = WillRetention()
  var opening: [Answer<Void>] = []
  var closing: [@Sendable () -> Void] = []
  var lingering: LingeringClose?
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
      checkPatience()
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

  /// Milliseconds until the loop must act on its own.
  private var timeout: Int32 {
    switch state {
    case .waiting(let instant): return milliseconds(until: instant)
    // Nothing moves until the receiver decides, which wakes the loop.
    case .connected where undecided > 0: return -1
    // The library sends a ping, when called, if a whole keep-alive has passed.
    case .connecting, .connected:
      let answer = pending.isWaiting ? pending.lastAnswer + options.answerWithin : client.nextPing
      let end = (isConnecting ? giveUpAt : answerBy) ?? answer
      return max(100, milliseconds(until: min(client.nextPing, answer, end, quietUntil ?? client.nextPing)))
    case .closed: return 0
    }
  }

  private func milliseconds(until instant: ContinuousClock.Instant) -> Int32 {
    // At most a keep-alive or the longest back-off: the milliseconds fit into an Int32.
    let left = (instant - clock.now).components
    return max(0, Int32(left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000) + 1)
  }

  private var isConnecting: Bool { if case .connecting = state { true } else { false } }

  var isOpen: Bool {
    switch state {
    case .connecting, .connected: true
    case .waiting, .closed: false
    }
  }

  private func move() {
    guard isOpen, undecided == 0 else { return }
    // A receiver that decides about one message after the other waits for a PUBACK that the socket cannot take yet, and
    // reaches the next only then.
    if !acknowledging.isEmpty { flush() }
    guard isOpen, acknowledging.isEmpty else { return }
    var before: Int
    repeat {
      before = undecided
      step(client.read())
    } while isOpen && before < undecided && undecided < options.readsAhead
    // The read may have brought a message: its PUBACK is queued now, and must stay queued.
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

  /// A caller outside of the loop found the connection unusable.
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
      refusal = .unreachable("the broker accepts no retained Last Will")
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
      // Over TLS one read brings several packets: report an UNSUBACK only after all earlier deliveries are decided.
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
}
