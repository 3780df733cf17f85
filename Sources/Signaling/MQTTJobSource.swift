package import Jobs
package import Logging
package import MQTT
package import Signing
package import Steps
import Synchronization
package import Volume
package import Worker

/// The source of jobs over MQTT. Requests enter by a ``RequestSession`` for each topic filter; results and commands use
/// the ``ControlSession``.
/// The source also offers a look at the volume whenever something may wait there.
package final class MQTTJobSource: JobSource {
  /// One for each topic filter, most urgent first.
  private let intakes: [TopicIntake]
  private let control: ControlSession
  private let state: WorkerState
  private let stop: StopRequest
  private let ledger: Ledger
  private let inbox = Inbox()
  private let trial: ShareTrial
  private let idleTimeout: Duration?
  private let lastBegan = Mutex<ContinuousClock.Instant?>(nil)
  /// Whether the worker is deciding about a request, and when it last finished: a rejection may take seconds, which are no
  /// idle time.
  private let decision = Mutex((isOpen: false, last: ContinuousClock.now))
  private let logger: Logger

  /// How long a broker may take to answer SUBSCRIBE, or to say that it has no more urgent request.
  private static let subscriptionLimit = Duration.seconds(10)

  /// A source of requests that match `filters`, most urgent first, and that `reader` accepts. The session of the first
  /// filter has `options`, and the others have client ids made from its own. A request that arrives within `shortJob`
  /// after a job began is deferred only after that time, and only if the job still runs.
  package init(
    _ options: SessionOptions, filters: [TopicFilter], ledger: Ledger, control: ControlSession, state: WorkerState,
    reader: RequestReader, stop: StopRequest, giveUpAfter: Duration?, idleTimeout: Duration?,
    shortJob: Duration = .milliseconds(100), logger: Logger
  ) {
    intakes = filters.enumerated().map { [inbox] rank, filter in
      TopicIntake(
        options, filter, rank, ledger: ledger, control: control, state: state, reader: reader, inbox: inbox,
        stop: stop, giveUpAfter: giveUpAfter, shortJob: shortJob, logger: logger)
    }
    trial = ShareTrial(options: options, filters: filters, control: control, logger: logger)
    self.control = control
    self.state = state
    self.stop = stop
    self.ledger = ledger
    self.idleTimeout = idleTimeout
    self.logger = logger
  }

  // MARK: Connection

  /// Connects, runs `body`, and ends all sessions. A worker that leaves for good publishes that.
  ///
  /// No requests arrive before KILLSWITCH is gone. Throws ``MQTTError/clientIDInUse(_:)`` when another connection has
  /// the client id.
  package func run(_ body: () async throws -> Void) async throws {
    try await withTasks([{ [control, inbox] in await control.run { inbox.add(.failure($0)) } }]) {
      let outcome = await whileReceiving(body)
      for intake in intakes {
        do {
          try intake.end(state.leavesForGood ? .left : .away)
        } catch {
          logger.warning("\(error)")
        }
      }
      await control.close(state.leavesForGood ? .left : .away)
      try outcome.get()
    }
  }

  /// Runs `body` together with the sessions of requests, which end with the worker's state.
  private func whileReceiving(_ body: () async throws -> Void) async -> Result<Void, any Error> {
    await withTaskGroup { group in
      for intake in intakes {
        group.addTask(executorPreference: TaskThread("requests")) { await intake.requests.run() }
      }
      defer { state.end() }
      do {
        return .success(try await whileWatching { try await connected(body) })
      } catch {
        return .failure(error)
      }
    }
  }

  private func connected(_ body: () async throws -> Void) async throws {
    if try await reachBroker() { try await open() }
    try await withTasks([{ await self.watchIdleTime() }]) { try await body() }
  }

  /// Waits for the connection of the control session. Returns false if the worker is asked to stop first.
  private func reachBroker() async throws -> Bool {
    let opened: Void? = try await stop.unlessRaised { [self] in
      do throws(MQTTError) {
        try await control.open()
      } catch {
        throw naming(error)
      }
    }
    return opened != nil
  }

  private func open() async throws {
    let isStaying = try await withThrowingTaskGroup(of: Void.self) { group in
      // The broker's answer takes its time, and so may the volume.
      group.addTask(executorPreference: TaskThread.watching) { await self.awaitSubscription() }
      guard try await join() else {
        group.cancelAll()
        return false
      }
      // A job that is taken before commands arrive could not be canceled.
      try await group.waitForAll()
      return true
    }
    guard isStaying else { return }
    for intake in intakes { await intake.requests.open() }
  }

  /// Waits for the end of a halt, and joins the members; `false` if the worker is asked to leave first.
  private func join() async throws -> Bool {
    if state.lookForKillSwitch() { try await awaitEndOfHalt() }
    guard !state.isLeaving else { return false }
    // The requests on the volume are older than those that the broker holds.
    for rank in intakes.indices { inbox.add(.look(rank, .begin)) }
    for intake in intakes {
      guard try await intake.join() else { return false }
    }
    return true
  }

  private func awaitEndOfHalt() async throws {
    _ = try await stop.unlessRaised { [state] in
      for await worker in state.changes() where worker.haltReason == nil || worker.departure != nil { return }
    }
  }

  private func awaitSubscription() async {
    _ = try? await stop.unlessRaised { [control, logger] in
      guard await wait(atMost: Self.subscriptionLimit, for: { await control.subscribe() }) == nil, !Task.isCancelled
      else { return }
      logger.warning("the broker has not answered SUBSCRIBE: commands and cancellations may not reach this worker")
    }
  }

  /// Adds the worker's id to an error that names only a client id.
  private func naming(_ error: any Error) -> any Error {
    guard case .clientIDInUse(let text) = error as? MQTTError else { return error }
    return MQTTError.clientIDInUse(
      "worker id '\(ledger.worker.id)' is in use by another process: \(text); give each worker its own --id, and each "
        + "group of workers with ids of its own a --client-id-prefix")
  }

  // MARK: Watching

  /// Runs `body` together with all tasks that add entries to the inbox.
  private func whileWatching(_ body: () async throws -> Void) async throws {
    try await withTasks(
      [
        { [stop, inbox] in
          await stop.raised()
          inbox.add(.wakeup)
        },
        { [state] in await state.watchHalts() },
        { await self.followWorker() },
        { [control] in await control.presence.run() },
        { [control] in for await filter in control.nudges.heard { self.askForLook(at: filter) } },
        { [control] in await control.nudges.followWorker() },
        { [trial] in await trial.run() },
        { await self.lookRegularly() },
      ], body)
  }

  private func askForLook() {
    guard !state.snapshot.isBusy else { return }
    for rank in intakes.indices { inbox.add(.look(rank, .regular)) }
  }

  /// Asks for a look at what another worker has told of: something for the workers of `filter`, or of all.
  private func askForLook(at filter: String) {
    guard !state.snapshot.isBusy else { return }
    for rank in intakes.indices where filter.isEmpty || ledger.filters[rank] == filter {
      inbox.add(.look(rank, .told))
    }
  }

  private func followWorker() async {
    var before = state.snapshot
    for await worker in state.changes() {
      if worker.departure != nil { inbox.add(.wakeup) }
      let isFree = worker.began != before.began || (before.haltReason != nil && worker.haltReason == nil)
      if isFree { askForLook() }
      before = worker
    }
  }

  /// Asks for a look every third of a lease: nudges can be lost, and dead workers send none.
  private func lookRegularly() async {
    let interval = ledger.leaseDuration / 3
    while (try? await Task.sleep(for: interval, tolerance: interval / 10)) != nil { askForLook() }
  }

  private func watchIdleTime() async {
    guard let limit = idleTimeout else { return }
    decision.withLock { $0.last = .now }
    while !Task.isCancelled {
      let left = state.snapshot.isBusy ? limit : quietSince + limit - .now
      if left <= .zero { inbox.add(.timeout) }
      try? await Task.sleep(for: left > .zero ? left : limit)
    }
  }

  /// Since when the worker has had no job and no request.
  private var quietSince: ContinuousClock.Instant { max(state.snapshot.began, decision.withLock { $0.last }) }

  // MARK: JobSource

  /// The next offer; `nil` if the worker leaves or was idle for too long.
  package func next() async throws -> Offer? {
    decision.withLock { if $0.isOpen { $0 = (false, .now) } }
    state.decides(false)
    lookAgainAfterJob()
    while !state.isLeaving, let waiting = await inbox.next() {
      if let rank = waiting.rank, rank > 0 { await askForMoreUrgent(than: rank) }
      if state.isLeaving { return nil }
      guard let entry = inbox.take(noLaterThan: waiting) else { continue }
      switch entry {
      case .look(let rank, let occasion):
        state.decides(true)
        guard !state.lookForKillSwitch() else {
          state.decides(false)
          continue
        }
        let abandoned = try await intakes[rank].look(occasion)
        if state.isLeaving { return nil }
        // Emptying other members' sessions may have taken a while; that does not count as a stall.
        state.decides(true)
        return .look(ledger.filters[rank], abandoned: abandoned)
      case .request(_, let offer):
        state.decides(true)
        decision.withLock { $0.isOpen = true }
        return .request(offer)
      case .failure(let error): throw naming(error)
      case .timeout:
        // A job may have begun or ended since the timeout, or a request may have been rejected.
        if let idleTimeout, quietSince + idleTimeout <= .now { return nil }
      case .wakeup: continue
      }
    }
    return nil
  }

  /// Asks for a look for each topic filter when a job has ended: what waits here from before may be a look for the less
  /// urgent ones only.
  private func lookAgainAfterJob() {
    guard intakes.count > 1 else { return }
    let began = state.snapshot.began
    let isNew = lastBegan.withLock { since in
      defer { since = began }
      return since != began
    }
    if isNew { askForLook() }
  }

  /// Returns when a more urgent request has arrived, or when the broker has none.
  private func askForMoreUrgent(than rank: Inbox.Rank) async {
    _ = try? await stop.unlessRaised { [intakes] in
      for intake in intakes[..<rank] where await intake.requests.hasRequest(within: Self.subscriptionLimit) { return }
    }
  }

  /// Tells idle workers of `filter` that something waits for them on the volume.
  package func tellWaiting(_ filter: String) {
    control.nudges.send(filter)
  }

  /// Publishes an event without waiting.
  package func publish(_ event: JobEvent) {
    control.publish(event)
  }

  /// Publishes a piece of a step's output and waits for its PUBACK.
  package func publish(_ output: StepOutput, of claim: ClaimRecord) async {
    await control.publish(output, of: claim)
  }

  /// Publishes a result and waits for its PUBACK.
  package func publish(_ result: ResultMessage, answering envelope: Envelope) async throws {
    try await control.publish(result, answering: envelope)
  }
}
