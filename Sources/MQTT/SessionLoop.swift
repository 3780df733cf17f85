private import Glibc
internal import Logging

/// The session's thread: it alone touches the library, and decides when bytes move.
///
/// While a delivery is undecided nothing is read and nothing is written, so a queued PUBACK cannot leave.
final class SessionLoop {
  typealias Command = @Sendable (SessionLoop) -> Void
  typealias Answer<T> = CheckedContinuation<Result<T, MQTTError>, Never>

  private enum State {
    case waiting(until: ContinuousClock.Instant)
    case connecting
    case connected(since: ContinuousClock.Instant)
    case closed
  }

  private let options: SessionOptions
  private let client: Mosquitto
  private let mailbox: Mailbox
  private let events: AsyncStream<SessionEvent>.Continuation
  private let logger: Logger
  private let giveUpAfter: Duration?
  private let clock = ContinuousClock()

  private var state: State
  private var giveUpAt: ContinuousClock.Instant?
  private var backoff = Backoff()
  private var shortLives = 0
  private var undecided = 0
  private var acknowledging: [CheckedContinuation<Void, Never>] = []
  private var refusal: MQTTError?
  private var opening: [Answer<Void>] = []
  private var closing: [@Sendable () -> Void] = []
  private var farewell: Farewell?
  private var pending = PendingRequests()

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
    }
  }

  private func wait() {
    var descriptors = [pollfd(fd: mailbox.wakeDescriptor, events: Int16(POLLIN), revents: 0)]
    if isOpen, undecided == 0 {
      var wanted = acknowledging.isEmpty ? Int16(POLLIN) : 0
      if client.wantsToWrite, !isShakingHands { wanted |= Int16(POLLOUT) }
      descriptors.append(pollfd(fd: client.socket, events: wanted, revents: 0))
    }
    poll(&descriptors, nfds_t(descriptors.count), timeout)
  }

  /// Milliseconds until something must be done without anybody asking.
  private var timeout: Int32 {
    switch state {
    case .waiting(let instant): return milliseconds(until: instant)
    case .connecting where options.tls != nil: return 20
    // Nothing moves before somebody decides, and that wakes.
    case .connected where undecided > 0: return -1
    // The library, when it is asked, sends a ping if a whole keep-alive has passed.
    case .connecting, .connected: return max(100, milliseconds(until: client.nextPing))
    case .closed: return 0
    }
  }

  private func milliseconds(until instant: ContinuousClock.Instant) -> Int32 {
    // At most a keep-alive away, or the longest back-off: milliseconds that an Int32 holds.
    let left = (instant - clock.now).components
    return max(0, Int32(left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000) + 1)
  }

  private var isOpen: Bool {
    switch state {
    case .connecting, .connected: true
    case .waiting, .closed: false
    }
  }

  /// During a TLS handshake the library says that it wants to write, and writes nothing: do not spin on it.
  private var isShakingHands: Bool {
    if case .connecting = state, options.tls != nil { true } else { false }
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

  private func step(_ code: Int32) {
    let number = errno
    let inbox = client.inbox
    client.inbox = []
    for event in inbox { take(event) }
    if code != 0, isOpen { connectionEnded(client.error(code, errno: number)) }
  }

  // MARK: What the library says

  private func take(_ event: Mosquitto.Event) {
    switch event {
    case .connected(let code, let sessionPresent):
      if code.rawValue == 0 { accepted(sessionPresent) } else { refusal = MQTTError(refusing: options, code) }
    case .disconnected(let code):
      guard isOpen else { return }
      if !closing.isEmpty && code == 0 { return close(with: .closed) }
      connectionEnded(MQTTError(disconnecting: options, code) ?? client.error(code, errno: errno))
    case .published(let id, let code):
      pending.published(id, code)
    case .subscribed(let id, let codes):
      if let refusal = pending.subscribed(id, codes) { fail(refusal) }
    case .unsubscribed(let id):
      // Over TLS one read brings several packets: whoever unsubscribed must have decided about all that came before.
      pending.unsubscribed(id)
      answerUnsubscribed()
    case .message(let message, let packetID, let isRedelivery):
      undecided += 1
      let delivery = Delivery(
        message: message, packetID: packetID, isRedelivery: isRedelivery, connection: mailbox.connection,
        socket: client.socket, mailbox: mailbox)
      events.yield(.delivery(delivery))
    }
  }

  private func answerUnsubscribed() {
    if undecided == 0 { pending.answerUnsubscribed() }
  }

  private func accepted(_ sessionPresent: Bool) {
    state = .connected(since: clock.now)
    giveUpAt = nil
    logger.debug("connected", metadata: ["client": "\(options.clientID)", "session": "\(sessionPresent)"])
    opening.forEach { $0.resume(returning: .success(())) }
    opening = []
    events.yield(.connected(sessionPresent ? .resumed : .new))
    // The broker knew nothing of these when the connection before this one was lost, or may have forgotten.
    if !pending.subscriptions.isEmpty { subscribe(pending.subscriptions, nil) }
    for command in pending.takeDeferred() { command(self) }
  }

  // MARK: Connecting and losing the connection

  private func connect() {
    refusal = nil
    do {
      state = .connecting
      try client.connect()
      if client.hasFirstWord { step(client.read()) }
      if isOpen { step(client.write()) }
    } catch {
      connectionEnded(error)
    }
  }

  private func connectionEnded(_ cause: MQTTError) {
    let error = refusal ?? cause
    refusal = nil
    forgetDeliveries()
    if case .connected(let since) = state {
      shortLives = clock.now - since < .seconds(5) ? shortLives + 1 : 0
      if clock.now - since >= .seconds(5) { backoff.reset() }
      giveUpAt = giveUpAfter.map { clock.now + $0 }
    }
    pending.connectionEnded()
    if !closing.isEmpty { return close(with: .closed) }
    guard error.isTransient else { return fail(error) }
    if shortLives >= 3 {
      return fail(
        .clientIDInUse(
          "the connection of client id '\(options.clientID)' was cut within 5 s three times running: \(error)"))
    }
    if let giveUpAt, clock.now >= giveUpAt { return fail(error) }
    var delay = backoff.next()
    if let giveUpAt { delay = min(delay, giveUpAt - clock.now) }
    logger.warning("\(error); next try in \(delay.formattedSeconds)", metadata: ["client": "\(options.clientID)"])
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

  private func close(with error: MQTTError) {
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

// MARK: - What callers ask for

extension SessionLoop {
  func open(_ answer: Answer<Void>) {
    switch state {
    case .connected: answer.resume(returning: .success(()))
    case .closed: answer.resume(returning: .failure(.closed))
    case .connecting, .waiting: opening.append(answer)
    }
  }

  func publish(_ message: Message, _ answer: Answer<ReasonCode>?) {
    whenConnected({ $0.publish(message, answer) }, orFail: answer) { () throws(MQTTError) in
      pending.add(publication: answer, try client.publish(message))
    }
  }

  func subscribe(_ filters: [TopicFilter], _ answer: Answer<[MQTTError]>?) {
    let again: Command = { $0.subscribe(filters, answer) }
    whenConnected(again, orFail: answer) { () throws(MQTTError) in
      pending.add(.init(repeating: again, answer: answer, filters: filters), try client.subscribe(filters))
    }
  }

  func unsubscribe(_ filter: TopicFilter, _ answer: Answer<[MQTTError]>) {
    pending.forget(filter)
    let again: Command = { $0.unsubscribe(filter, answer) }
    whenConnected(again, orFail: answer) { () throws(MQTTError) in
      pending.add(.init(repeating: again, answer: answer), try client.unsubscribe(filter))
    }
  }

  /// Of several deliveries that came in one read no PUBACK leaves before all are acknowledged: the library writes all
  /// that is queued. Only the last of them waits for that: who decides about one after the other must come to it.
  func acknowledged(_ delivery: Delivery, _ done: CheckedContinuation<Void, Never>) {
    // The acknowledgement of a lost connection says nothing about what the present one brought.
    guard delivery.connection == mailbox.connection, isOpen else { return done.resume() }
    undecided = max(0, undecided - 1)
    guard undecided == 0 else { return done.resume() }
    acknowledging.append(done)
    flush()
  }

  private func flush() {
    guard undecided == 0 else { return }
    if isOpen, client.wantsToWrite { step(client.write()) }
    guard !isOpen || !client.wantsToWrite else { return }
    acknowledging.forEach { $0.resume() }
    acknowledging = []
    answerUnsubscribed()
  }

  /// Sends DISCONNECT and what is queued before it; an undecided delivery forbids that, its PUBACK would go along.
  func disconnect(sessionExpiry: UInt32?, _ done: @escaping @Sendable () -> Void) {
    closing.append(done)
    guard case .connected = state, undecided == 0 else { return drop() }
    // Where nothing hangs on DISCONNECT, nobody waits for the broker to have read it.
    if options.will != nil || sessionExpiry != nil { farewell = Farewell(client.socket) }
    do {
      try client.queueDisconnect(sessionExpiry: sessionExpiry)
      step(client.write())
    } catch {
      drop()
    }
  }

  func drop() {
    close(with: .closed)
  }

  private func whenConnected<T>(
    _ again: @escaping Command, orFail answer: Answer<T>?, _ body: () throws(MQTTError) -> Void
  ) {
    switch state {
    case .closed: answer?.resume(returning: .failure(.closed))
    case .waiting, .connecting: pending.defer(again)
    case .connected:
      do {
        try body()
      } catch MQTTError.unreachable {
        pending.defer(again)
      } catch {
        answer?.resume(returning: .failure(error))
      }
    }
  }
}

extension Duration {
  /// Seconds with one decimal, as in `1.5 s`.
  fileprivate var formattedSeconds: String {
    let tenths = Int((self / .milliseconds(100)).rounded())
    return "\(tenths / 10).\(tenths % 10) s"
  }
}
