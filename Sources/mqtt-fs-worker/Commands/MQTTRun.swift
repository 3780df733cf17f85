import Jobs
import Logging
import MQTT
import Settings
import Signaling
import Steps
import Volume
import Worker

/// A worker over MQTT: it runs one job, or `--jobs` many one after another.
struct MQTTRun {
  private let setup: WorkerSetup
  /// Most urgent first.
  private let filters: [TopicFilter]
  private let intake: SessionOptions
  private let control: SessionOptions
  private let topics: RequestTopics
  private let presence: Presence.Settings
  private let retention: ControlSession.ResultRetention
  private let giveUpAfter: Duration?
  private let idleTimeout: Duration?
  /// The number of jobs; 0 for no limit.
  private let jobs: Int

  init(_ broker: BrokerOptions, _ work: WorkOptions, _ setup: WorkerSetup, _ environment: Environment) throws {
    filters = try work.filters(environment)
    topics = RequestTopics(try work.topics.topics(environment), requests: filters)
    jobs = try work.jobCount(environment)
    giveUpAfter = try broker.giveUpAfter(environment)
    idleTimeout = try (work.idleTimeout ?? environment.value("WORKER_IDLE_TIMEOUT"))?.duration
    let kept = try work.retention(environment)

    var intake = try broker.session(SessionName.intake(of: setup.identity.id), environment)
    intake.receiveMaximum = 1
    intake.quietFor = setup.lease * 10
    intake.queueInterval = try (work.queueInterval ?? environment.value("MQTT_QUEUE_INTERVAL"))?.duration ?? .zero
    if try work.clean || environment.flag("MQTT_CLEAN") {
      intake.start = .clean
    } else {
      intake.sessionExpiry = try work.session.seconds(environment)
    }
    self.intake = intake
    var setup = setup
    setup.settings.ownSecrets += [intake.credentials?.password].compactMap(\.self)
    self.setup = setup

    var control = try broker.session(SessionName.control(of: setup.identity.id), environment)
    control.sessionExpiry = 300
    presence = Presence.Settings(
      worker: setup.identity, filters: filters.map(\.text), heartbeat: try work.heartbeatInterval(environment),
      version: control.version)
    control.will = presence.will
    self.control = control
    retention = control.version == .v5 ? kept.map { .expiring(seconds: $0) } ?? .none : .none
  }

  func run() async throws {
    let ledger = try Ledger(
      JobsDirectory(setup.jobs), worker: setup.identity, filters: filters.map(\.text), lease: setup.lease,
      remembering: WorkspacesDirectory.watchLog(in: setup.workspaces, of: setup.identity.id))
    let workspaces = try setup.openWorkspaces()
    let stop = StopRequest()
    Signals.stop(stop, setup.logger, grace: setup.settings.grace)
    try setup.tryOut(workspaces)
    try await ledger.checkIDIsFree(until: stop)
    try await ledger.checkAreFree(
      [intake.clientID, control.clientID], at: "\(intake.host):\(intake.port)", until: stop)
    let session = try Session(control, giveUpAfter: giveUpAfter, logger: setup.logger)
    let state = WorkerState(ledger, stop: stop, logger: setup.logger)
    let presence = Presence(
      session, presence, of: state, directory: ledger.directory, workspaces: setup.workspaces)
    let health = try HealthSocket(setup.identity.id, workspaces: setup.workspaces)
    do {
      try health.listen { [patience = max(setup.lease, .seconds(10))] in presence.health(patience: patience) }
    } catch {
      setup.logger.info("'mqtt-fs-worker health' cannot ask this worker: \(error)")
    }
    let control = ControlSession(
      session, topics: topics, retention: retention, presence: presence, state: state, logger: setup.logger)
    let source = MQTTJobSource(
      intake, filters: filters, ledger: ledger, control: control, state: state, reader: setup.settings.reader,
      stop: stop, giveUpAfter: giveUpAfter, idleTimeout: idleTimeout, logger: setup.logger)
    Signals.stop(stop, setup.logger, grace: setup.settings.grace, finishing: setup.finishing) {
      state.leave(.finishing)
    }
    var undelivered: Unpublished?
    try await source.run {
      var done = 0
      while true {
        let worker = Worker(
          ledger: ledger, workspaces: workspaces, source: source, state: state, settings: setup.settings,
          stop: stop.forNextJob(), logger: setup.logger)
        let outcome = try await worker.run()
        guard outcome.hadJob else { break }
        if case .undelivered(_, let refusal) = outcome { undelivered = refusal }
        done += 1
        guard jobs == 0 || done < jobs, !state.isLeaving else { break }
        state.finishJob()
      }
    }
    if state.isLeaving { ledger.audit.note(AuditEntry(.left), setup.logger) }
    // A process without a limit has only logged it.
    if jobs > 0, let undelivered { throw undelivered }
  }
}
