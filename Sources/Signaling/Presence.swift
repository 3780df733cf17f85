private import Dispatch
package import Jobs
package import MQTT
import Synchronization
package import SystemPackage
package import Volume

/// What a worker tells about itself: its retained status, at every change and once a heartbeat.
///
/// Nothing waits for it. A job is told at once; steps at most once a second; and an idle worker waits a moment, because
/// one that finds a job at once has nothing to tell before that. On MQTT 5 every status expires, so that none outlives
/// what it tells of: see ``WorkerStatus/Lifetime``.
package final class Presence: Sendable {
  /// What is told of, and how often.
  package struct Settings: Sendable {
    /// The worker.
    package var worker: WorkerIdentity
    /// The topic filter of its jobs.
    package var filter: String
    /// The time from one status to the next.
    package var heartbeat: Duration
    /// The version of MQTT that the session speaks.
    package var version: ProtocolVersion

    /// A worker that listens to `filter`.
    package init(worker: WorkerIdentity, filter: String, heartbeat: Duration, version: ProtocolVersion) {
      self.worker = worker
      self.filter = filter
      self.heartbeat = heartbeat
      self.version = version
    }

    /// What the broker is to publish when the connection is cut.
    package var will: Message {
      var status = status(.offline)
      status.reason = WorkerStatus.Absence.lost.rawValue
      return message(status, expiry: WorkerStatus.Lifetime.of(.lost))
    }

    fileprivate func status(_ state: WorkerStatus.State) -> WorkerStatus {
      var status = WorkerStatus(state, of: worker.id)
      status.topic = filter
      status.host = worker.process.host
      status.pid = worker.process.pid
      status.version = worker.version
      return status
    }

    fileprivate func message(_ status: WorkerStatus, expiry: UInt32) -> Message {
      var message = Message(Topics.status(of: worker.id), (try? status.encoded()) ?? [], from: worker.id)
      message.retention = .retained
      message.properties.messageExpiry = expiry
      return message
    }
  }

  private struct State {
    var place: JobPlace?
    /// The kill switch's reason, while it is there.
    var haltReason: String?
    /// Since when it decides what to do next: it looks at the volume, or at a request.
    var decidingSince: ContinuousClock.Instant?
    var isConnected = false
    var idleSince = ContinuousClock.now
    var ends = false
    var vitals: Vitals?
    var undelivered = 0
    var since = (state: WorkerStatus.State.idle, time: Timestamp.now)
    /// What was told last on this connection.
    var told: (state: WorkerStatus.State, place: JobPlace?, at: ContinuousClock.Instant)?
    var isScheduled = false
  }

  package let settings: Settings
  private let session: Session
  private let directory: JobsDirectory
  private let workspaces: FilePath
  private let queue = DispatchQueue(label: "presence")
  // The timer is made once, and started and cancelled from the queue; DispatchSource is safe to use from any thread.
  private nonisolated(unsafe) let timer: any DispatchSourceTimer
  private let state = Mutex(State())

  /// Tells over `session` about a worker of the volume `directory`.
  package init(_ session: Session, _ settings: Settings, directory: JobsDirectory, workspaces: FilePath) {
    self.session = session
    self.settings = settings
    self.directory = directory
    self.workspaces = workspaces
    timer = DispatchSource.makeTimerSource(queue: queue)
    let heartbeat = Int(settings.heartbeat / .milliseconds(1))
    // Workers that start together must not beat together.
    timer.schedule(
      deadline: .now() + .milliseconds(.random(in: heartbeat / 2...heartbeat)), repeating: .milliseconds(heartbeat),
      leeway: .milliseconds(heartbeat / 15))
    timer.setEventHandler { [weak self] in self?.beat() }
    timer.resume()
  }

  deinit {
    timer.cancel()
  }

  // MARK: What happens

  /// There is a connection, for the first time or again; the broker may have said meanwhile that the worker is lost.
  package func connected() {
    state.withLock { state in
      state.isConnected = true
      state.idleSince = .now
      state.told = nil
    }
    queue.async { [self] in tellChange() }
  }

  /// There is none; what would be told now is told on the next.
  func disconnected() {
    state.withLock { $0.isConnected = false }
  }

  /// The worker is at `place` now, or has no job.
  package func move(to place: JobPlace?) {
    state.withLock { state in
      if place == nil { state.idleSince = .now }
      state.place = place
    }
    queue.async { [self] in tellChange() }
  }

  /// KILLSWITCH may have come or gone.
  func lookForKillSwitch() {
    queue.async { [self] in
      let reason = directory.haltReason
      state.withLock { $0.haltReason = reason }
      tellChange()
    }
  }

  /// The job that the worker has.
  package var job: JobPlace? { state.withLock { $0.place } }

  /// What is told now; with the figures of the last heartbeat.
  package var status: WorkerStatus { state.withLock { status(&$0) } }

  /// What is told to those on this host. A worker stalls that has decided for longer than `patience` what to do next.
  package func health(patience: Duration) -> HealthReport {
    state.withLock { state in
      let stall = state.decidingSince.map { ContinuousClock.now - $0 }.flatMap { $0 > patience ? $0 : nil }
      return HealthReport(
        status: status(&state), connected: state.isConnected, stalledSeconds: stall.map { Int($0.components.seconds) })
    }
  }

  /// The worker looks at the volume, or at a request, from now on; or is done with that.
  package func decides(_ isDeciding: Deciding) {
    state.withLock { $0.decidingSince = isDeciding == .begun ? .now : nil }
  }

  /// Whether the worker decides what to do next.
  package enum Deciding {
    case begun, done
  }

  // MARK: The end

  /// Tells that the worker ends, and nothing after that.
  package func end(_ absence: WorkerStatus.Absence) {
    timer.cancel()
    state.withLock { state in
      guard !state.ends, state.isConnected else { return }
      state.ends = true
      var status = settings.status(.offline)
      status.reason = absence.rawValue
      status.since = Timestamp.now.description
      status.time = status.since
      var message = settings.message(status, expiry: WorkerStatus.Lifetime.of(absence))
      if settings.version == .v311, absence == .left { message.payload = [] }
      session.send(message)
    }
  }

  // MARK: Telling

  private func beat() {
    guard state.withLock({ $0.isConnected && !$0.ends }) else { return }
    measure()
    state.withLock { tell(&$0) }
  }

  private func measure() {
    let vitals = Vitals.measured(jobs: directory.path, workspaces: workspaces)
    let reason = directory.haltReason
    let undelivered = JobRecords(directory).undeliveredCount(of: settings.filter)
    state.withLock { state in
      state.vitals = vitals
      state.undelivered = undelivered
      state.haltReason = reason
    }
  }

  /// Tells what is not told yet, if there is anything, now or when it is time.
  private func tellChange() {
    let (delay, isFirst) = state.withLock { (wait(&$0), $0.isConnected && $0.told == nil) }
    guard let delay else { return }
    guard delay > .zero else {
      if isFirst { measure() }
      return state.withLock { tell(&$0) }
    }
    let isScheduled = state.withLock { state in
      defer { state.isScheduled = true }
      return state.isScheduled
    }
    guard !isScheduled else { return }
    queue.asyncAfter(deadline: .now() + .milliseconds(Int(delay / .milliseconds(1)) + 1)) { [weak self] in
      self?.state.withLock { $0.isScheduled = false }
      self?.tellChange()
    }
  }

  /// How long it is until what happened must be told; `nil` when nothing did.
  private func wait(_ state: inout State) -> Duration? {
    let now = status(&state).state
    guard let told = state.told else {
      return now == .busy ? .zero : state.idleSince + .milliseconds(100) - .now
    }
    if told.state == .busy, now == .idle { return state.idleSince + .milliseconds(100) - .now }
    if told.state != now || told.place?.id != state.place?.id { return .zero }
    return told.place == state.place ? nil : told.at + .seconds(1) - .now
  }

  private func tell(_ state: inout State) {
    guard state.isConnected, !state.ends else { return }
    let status = status(&state)
    session.send(settings.message(status, expiry: WorkerStatus.Lifetime.live(settings.heartbeat)))
    state.told = (status.state, state.place, .now)
  }

  private func status(_ state: inout State) -> WorkerStatus {
    let now: WorkerStatus.State = state.place != nil ? .busy : state.haltReason != nil ? .halted : .idle
    if state.since.state != now { state.since = (now, .now) }
    var status = settings.status(now)
    if now == .halted { status.reason = state.haltReason }
    status.since = state.since.time.description
    status.time = Timestamp.now.description
    status.heartbeat = settings.heartbeat / .seconds(1)
    status.job = state.place?.id.text
    status.attempt = state.place?.attempt
    status.step = state.place?.step
    state.vitals?.write(to: &status)
    if state.undelivered > 0 { status.undelivered = state.undelivered }
    return status
  }
}
