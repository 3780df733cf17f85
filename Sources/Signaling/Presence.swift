private import Dispatch
private import Glibc
package import Jobs
package import MQTT
import Synchronization
package import SystemPackage
package import Volume
package import Worker

/// The worker's retained status, published at every change and once a heartbeat.
///
/// Nothing waits for it. The beginning of a job is published at once, its steps at most once a second, and "idle" after
/// 100 ms, since a worker that finds its next job at once should not appear idle. On MQTT 5 every status expires, so
/// none outlives its worker: see ``WorkerStatus/Lifetime``.
package final class Presence: Sendable {
  /// The constant part of a status, and its heartbeat.
  package struct Settings: Sendable {
    /// The worker.
    package var worker: WorkerIdentity
    /// The topic filters of its jobs, most urgent first.
    package var filters: [String]
    /// The time from one status to the next.
    package var heartbeat: Duration
    /// The version of MQTT that the session speaks.
    package var version: ProtocolVersion

    /// A worker that listens to `filters`.
    package init(worker: WorkerIdentity, filters: [String], heartbeat: Duration, version: ProtocolVersion) {
      self.worker = worker
      self.filters = filters
      self.heartbeat = heartbeat
      self.version = version
    }

    /// The message that the broker publishes when the connection breaks.
    package var will: Message {
      var status = status(.offline)
      status.reason = WorkerStatus.Absence.lost.rawValue
      return message(status, expiry: WorkerStatus.Lifetime.of(.lost))
    }

    fileprivate func status(_ state: WorkerStatus.State) -> WorkerStatus {
      var status = WorkerStatus(state, of: worker.id)
      status.topic = filters.first
      if filters.count > 1 { status.topics = filters }
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
    var isConnected = false
    var connectedSince = ContinuousClock.now
    var ends = false
    var vitals: Vitals?
    var undelivered = 0
    /// The last status published on this connection.
    var told:
      (state: WorkerStatus.State, place: JobPlace?, leaving: WorkerStatus.Leaving?, at: ContinuousClock.Instant)?
    var isScheduled = false
  }

  package let settings: Settings
  private let session: Session
  private let worker: WorkerState
  private let directory: JobsDirectory
  private let workspaces: FilePath
  private let queue = DispatchQueue(label: "presence")
  // The timer is made and started once. Any thread may cancel it: a DispatchSource is thread-safe.
  private nonisolated(unsafe) let timer: any DispatchSourceTimer
  private let state = Mutex(State())

  /// Publishes the state of `worker`, which works on the volume `directory`, over `session`.
  package init(
    _ session: Session, _ settings: Settings, of worker: WorkerState, directory: JobsDirectory, workspaces: FilePath
  ) {
    self.session = session
    self.worker = worker
    self.settings = settings
    self.directory = directory
    self.workspaces = workspaces
    timer = DispatchSource.makeTimerSource(queue: queue)
    let heartbeat = Int(settings.heartbeat / .milliseconds(1))
    // Workers that start together must not send their heartbeats together.
    timer.schedule(
      deadline: .now() + .milliseconds(.random(in: heartbeat / 2...heartbeat)), repeating: .milliseconds(heartbeat),
      leeway: .milliseconds(heartbeat / 15))
    timer.setEventHandler { [weak self] in self?.beat() }
    timer.resume()
  }

  deinit {
    timer.cancel()
  }

  /// Publishes every change of the worker's state, until the worker is at its end.
  func run() async {
    for await _ in worker.changes() { queue.async { [self] in tellChange() } }
  }

  // MARK: Connection

  /// Notes that the session is connected, and publishes the status: the broker may have published the will in between.
  package func connected() {
    state.withLock { state in
      state.isConnected = true
      state.connectedSince = .now
      state.told = nil
    }
    queue.async { [self] in tellChange() }
  }

  /// Notes that the connection is lost. Changes wait for the next connection.
  package func disconnected() {
    state.withLock { $0.isConnected = false }
  }

  // MARK: Asking

  /// The current status, with the measurements of the last heartbeat.
  package var status: WorkerStatus { state.withLock { status($0, worker.snapshot) } }

  /// The report for processes on this host. A worker stalls if it looks at the volume or at a request for longer than
  /// `patience`.
  package func health(patience: Duration) -> HealthReport {
    let worker = worker.snapshot
    return state.withLock { state in
      let stall = worker.decidingSince.map { ContinuousClock.now - $0 }.flatMap { $0 > patience ? $0 : nil }
      return HealthReport(
        status: status(state, worker), connected: state.isConnected,
        stalledSeconds: stall.map { Int($0.components.seconds) })
    }
  }

  // MARK: The end

  /// Publishes that the worker ends. Nothing is published after that.
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
    let records = JobRecords(directory)
    let undelivered = settings.filters.map(records.undeliveredCount).reduce(0, +)
    if !worker.snapshot.isBusy { _ = worker.lookForKillSwitch() }
    state.withLock { ($0.vitals, $0.undelivered) = (vitals, undelivered) }
  }

  /// Publishes a change of the status, if there is one, now or when it is due.
  private func tellChange() {
    let (delay, isFirst) = state.withLock { (wait($0), $0.isConnected && $0.told == nil) }
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

  /// The time until the change must be published; `nil` if there is no change.
  private func wait(_ state: State) -> Duration? {
    let worker = worker.snapshot
    let idleDelay = max(worker.began, state.connectedSince) + .milliseconds(100) - .now
    guard let told = state.told else { return worker.isBusy ? .zero : idleDelay }
    if told.state == .busy, worker.status == .idle { return idleDelay }
    if told.state != worker.status || told.place?.id != worker.job?.id { return .zero }
    if told.leaving != worker.departure?.published { return .zero }
    return told.place == worker.job ? nil : told.at + .seconds(1) - .now
  }

  private func tell(_ state: inout State) {
    guard state.isConnected, !state.ends else { return }
    let worker = worker.snapshot
    session.send(settings.message(status(state, worker), expiry: WorkerStatus.Lifetime.live(settings.heartbeat)))
    state.told = (worker.status, worker.job, worker.departure?.published, .now)
  }

  private func status(_ state: State, _ worker: WorkerState.Snapshot) -> WorkerStatus {
    var status = settings.status(worker.status)
    if worker.status == .halted { status.reason = worker.haltReason }
    status.since = worker.statusSince.description
    status.time = Timestamp.now.description
    status.heartbeat = settings.heartbeat / .seconds(1)
    status.leaving = worker.departure.map(\.published)
    status.job = worker.job?.id.text
    status.attempt = worker.job?.attempt
    status.step = worker.job?.step
    state.vitals?.write(to: &status)
    if state.undelivered > 0 { status.undelivered = state.undelivered }
    return status
  }
}

/// Measurements of a host and its volumes for a worker's status.
///
/// Measuring asks the volume's server and may block, so do not measure where something waits.
struct Vitals: Sendable {
  private var load: Double?
  private var memory: Int64?
  private var memoryFree: Int64?
  private var jobsFree: Int64?
  private var workspacesFree: Int64?

  /// Measures now. Leaves out figures that cannot be read.
  static func measured(jobs: FilePath, workspaces: FilePath) -> Vitals {
    var vitals = Vitals()
    // The first word is the mean over one minute (proc_loadavg(5)).
    vitals.load = words("/proc/loadavg").first.flatMap { Double($0) }
    // The second word is the number of resident pages (proc_pid_statm(5)).
    let pages = words("/proc/self/statm").dropFirst().first.flatMap { Int64($0) }
    vitals.memory = pages.map { $0 * Int64(sysconf(Int32(_SC_PAGESIZE))) }
    let memory = words("/proc/meminfo")
    if let name = memory.firstIndex(of: "MemAvailable:"), name + 1 < memory.count {
      vitals.memoryFree = Int64(memory[name + 1]).map { $0 << 10 }
    }
    vitals.jobsFree = freeBytes(jobs)
    vitals.workspacesFree = freeBytes(workspaces)
    return vitals
  }

  /// Writes the figures into `status`.
  func write(to status: inout WorkerStatus) {
    status.load = load
    status.memory = memory
    status.memoryFree = memoryFree
    status.jobsFree = jobsFree
    status.workspacesFree = workspacesFree
  }
}

private func freeBytes(_ folder: FilePath) -> Int64? {
  var status = statvfs()
  guard statvfs(folder.string, &status) == 0 else { return nil }
  let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
  return overflow ? nil : Int64(clamping: bytes)
}

/// The words at the start of a file of proc(5).
private func words(_ path: FilePath) -> [String] {
  guard let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec) else { return [] }
  defer { try? file.close() }
  var buffer = [UInt8](repeating: 0, count: 1024)
  guard let count = try? buffer.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return [] }
  // Split as bytes: finding white space by Unicode properties takes longer than everything else here.
  return buffer[..<count].split { $0 <= UInt8(ascii: " ") }.map { String(decoding: $0, as: UTF8.self) }
}
