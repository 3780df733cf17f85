package import Jobs
package import Logging
package import MQTT
package import Signing
package import Steps
import Synchronization
package import Volume
package import Worker

/// Jobs over MQTT: requests from intake, answers over control, and a look at the volume whenever something may wait there.
package final class MQTTJobSource: JobSource {
  enum Signal: Sendable {
    case look
    /// A request, and which of intake's offers it is.
    case offer(JobOffer, number: Int)
    case failed(MQTTError)
    /// After so many jobs.
    case idleForTooLong(jobs: Int)
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
  private let departing = Mutex<Departure?>(nil)
  private let idleness = Mutex(Idleness())
  private let logger: Logger

  private struct Idleness {
    var isBusy = false
    /// How many jobs the worker has had.
    var jobs = 0
    /// A look that is asked for is one look, however often it is asked for.
    var willLook = false
    var timer: Task<Void, any Error>?
  }

  /// Requests that match `filter` and that `reader` takes, over a session opened with `options`. What arrives within
  /// `shortJob` of the beginning of a job is put down only after that time, if the job has not ended by then.
  package init(
    _ options: SessionOptions, filter: TopicFilter, ledger: Ledger, control: Control, reader: RequestReader,
    stop: StopRequest, giveUpAfter: Duration?, idleTimeout: Duration?, shortJob: Duration = .milliseconds(100),
    logger: Logger
  ) {
    (signals, sender) = AsyncStream.makeStream()
    membership = Attendance(options, filter: filter, ledger: ledger)
    intake = Intake(
      options, filter: filter, ledger: ledger, membership: membership, control: control, reader: reader,
      signals: sender,
      giveUpAfter: giveUpAfter, shortJob: shortJob, logger: logger)
    adopter = Adopter(
      options: options, ledger: ledger, control: control, reader: reader, stop: stop, logger: logger)
    self.options = options
    self.filter = filter
    self.control = control
    self.stop = stop
    self.ledger = ledger
    self.idleTimeout = idleTimeout
    self.logger = logger
  }

  /// Connects control, and intake once no KILLSWITCH is there; from now on there is something to look at. Throws
  /// ``MQTTError/clientIDInUse(_:)`` when another connection has the id.
  package func open() async throws {
    guard let listening = try await reachBroker() else { return }
    await ledger.killSwitch.waitWhileOn(logger) { [self] in !isLeaving }
    control.presence.lookForKillSwitch()
    guard !isLeaving else {
      sender.yield(.stopped)
      return
    }
    // What lies on the volume is older than what the broker holds.
    askForLook()
    if let former = try membership.formerSelf { try await adopter.adoptFormerSelf(former) }
    try membership.begin()
    // A job that is taken before commands are heard could not be canceled.
    _ = try await stop.unlessRaised { [self] in await wait(for: listening) }
    try await intake.open()
    watch()
  }

  /// Waits until commands are heard; but a broker that never answers is not waited for for ever.
  private func wait(for listening: Task<Void, Never>) async {
    let (ends, end) = AsyncStream.makeStream(of: Void.self)
    Task {
      await listening.value
      end.yield()
    }
    let limit = Task { [logger] in
      try await Task.sleep(for: .seconds(10))
      logger.warning("the broker has not answered SUBSCRIBE: commands and cancellations may not reach this worker")
      end.yield()
    }
    for await _ in ends { break }
    limit.cancel()
  }

  /// Waits for control's connection, or for a request to stop; `nil` when that comes first. The task is
  /// ``Control/listen(onFailure:)``'s.
  private func reachBroker() async throws -> Task<Void, Never>? {
    let opened: Void? = try await stop.unlessRaised { [self] in
      do throws(MQTTError) {
        try await control.open()
      } catch {
        throw naming(error)
      }
    }
    guard opened != nil else {
      sender.yield(.stopped)
      return nil
    }
    Task { [self] in
      for await departure in control.commands.departures {
        departing.withLock { $0 = departure }
        sender.yield(.stopped)
      }
    }
    return control.listen { [sender] in sender.yield(.failed($0)) }
  }

  /// The sessions know client ids only; who reads the error knows the worker.
  private func naming(_ error: MQTTError) -> MQTTError {
    guard case .clientIDInUse(let text) = error else { return error }
    return .clientIDInUse(
      "worker id '\(ledger.worker.id)' is in use by another process: \(text); give each worker its own --id, and each "
        + "group of workers with ids of its own a --client-id-prefix")
  }

  /// What may wait on the volume is looked at when another worker says so, and every third of a lease.
  private func watch() {
    Task { [self] in
      for await _ in control.nudged { askForLook() }
    }
    Task { [self, interval = ledger.leaseDuration / 3] in
      while !Task.isCancelled {
        try await Task.sleep(for: interval, tolerance: interval / 10)
        askForLook()
      }
    }
    Task { [stop, sender] in
      await stop.raised()
      sender.yield(.stopped)
    }
    startIdleTimer()
  }

  private func askForLook() {
    idleness.withLock { idleness in
      guard !idleness.isBusy, !idleness.willLook else { return }
      idleness.willLook = true
      sender.yield(.look)
    }
  }

  private func startIdleTimer() {
    guard let idleTimeout else { return }
    idleness.withLock { idleness in
      idleness.timer = Task { [sender, jobs = idleness.jobs] in
        try await Task.sleep(for: idleTimeout)
        sender.yield(.idleForTooLong(jobs: jobs))
      }
    }
  }

  /// The next thing to look at.
  package func next() async throws -> Offer? {
    control.presence.decides(.done)
    for await signal in signals {
      if isLeaving { return nil }
      switch signal {
      case .look:
        idleness.withLock { $0.willLook = false }
        control.presence.lookForKillSwitch()
        control.presence.decides(.begun)
        guard !ledger.killSwitch.isOn(logger) else {
          control.presence.decides(.done)
          continue
        }
        try await adopter.adoptDeparted(broker: membership.broker)
        if isLeaving { return nil }
        // To empty others' sessions may have taken its time.
        control.presence.decides(.begun)
        return .look
      case .offer(let offer, let number):
        guard await intake.isOffered(number) else { continue }
        control.presence.decides(.begun)
        return .request(offer)
      case .failed(let error): throw naming(error)
      case .idleForTooLong(let jobs):
        // One that went off as a job came is of the time before it.
        guard idleness.withLock({ $0.jobs == jobs }) else { continue }
        return nil
      case .stopped: return nil
      }
    }
    return nil
  }

  /// From here on requests go to the waiting room, or stay with the broker.
  package func workerIsBusy() async {
    idleness.withLock { idleness in
      idleness.isBusy = true
      idleness.jobs += 1
      idleness.timer?.cancel()
    }
    await intake.workerIsBusy()
  }

  /// The worker's job is done, and it takes another: call it before it looks for one.
  package func workerIsIdle() async {
    control.commands.forgetCancellations()
    control.presence.move(to: nil)
    idleness.withLock { $0.isBusy = false }
    askForLook()
    await intake.workerIsIdle()
    startIdleTimer()
  }

  /// Goes into the worker's status.
  package func worker(isAt place: JobPlace) {
    control.presence.decides(.done)
    control.presence.move(to: place)
  }

  /// Whether this process is to end when it has no job, whatever else would come after: a signal or a command said so.
  package var isLeaving: Bool { stop.isShutdown || departing.withLock { $0 } != nil }

  /// What is asked for on the topics for that.
  package var cancellations: AsyncStream<Cancellation> { control.commands.cancellations }

  /// Publishes an event without waiting.
  package func publish(_ event: JobEvent) async {
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

  /// Ends both sessions. A worker that was asked to stop says that it does not come back.
  package func close() async {
    await intake.close()
    let leaves = stop.isShutdown || departing.withLock { $0 } == .drained
    do {
      try membership.end(leaves ? .left : .away)
    } catch {
      logger.warning("\(error)")
    }
    await control.close(leaves ? .left : .away)
  }
}
