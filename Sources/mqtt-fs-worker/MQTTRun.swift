import Jobs
import Logging
import MQTT
import Signaling
import Steps
import SystemPackage
import Volume
import Worker

/// Jobs over MQTT: one, or as many as `--jobs` says, one after the other.
struct MQTTRun {
  private let setup: WorkerSetup
  private let filter: TopicFilter
  private let intake: SessionOptions
  private let control: SessionOptions
  private let topics: RequestTopics
  private let presence: Presence.Settings
  private let retention: Control.ResultRetention
  private let giveUpAfter: Duration?
  private let idleTimeout: Duration?
  /// How many jobs are to be done; 0 for no end.
  private let jobs: Int

  init(_ broker: BrokerOptions, _ work: WorkOptions, _ setup: WorkerSetup, _ environment: Environment) throws {
    filter = try work.filter(environment)
    topics = RequestTopics(
      Topics(results: try checkedResultsTopic(work.resultsTopic, environment)), requests: filter)
    jobs = try work.jobCount(environment)
    giveUpAfter = try broker.giveUpAfter(environment)
    idleTimeout = try (work.idleTimeout ?? environment.value("WORKER_IDLE_TIMEOUT"))?.duration
    let expiry = try (work.sessionExpiry ?? environment.value("MQTT_SESSION_EXPIRY"))?.duration ?? .seconds(7 * 86400)
    let keepsResults = try !(work.noRetain || environment.flag("MQTT_NO_RETAIN"))

    var intake = try broker.session(SessionName.intake(of: setup.identity.id), environment)
    intake.receiveMaximum = 1
    if try work.clean || environment.flag("MQTT_CLEAN") {
      intake.start = .clean
    } else {
      intake.sessionExpiry = UInt32(clamping: expiry.components.seconds)
    }
    self.intake = intake
    var setup = setup
    setup.settings.ownSecrets += [intake.credentials?.password].compactMap(\.self)
    self.setup = setup

    var control = try broker.session(SessionName.control(of: setup.identity.id), environment)
    control.sessionExpiry = 300
    presence = Presence.Settings(
      worker: setup.identity, filter: filter.text, heartbeat: try work.heartbeatInterval(environment),
      version: control.version)
    control.will = presence.will
    self.control = control
    retention = keepsResults && control.version == .v5 ? .expiring(seconds: 7 * 86400) : .none
  }

  func run() async throws {
    let ledger = try Ledger(
      JobsDirectory(setup.jobs), worker: setup.identity, filter: filter.text, lease: setup.lease,
      remembering: WorkspacesDirectory.watchLog(in: setup.workspaces, of: setup.identity.id))
    let workspaces = try setup.openWorkspaces()
    let stop = StopRequest()
    StopSignals.raise(stop, setup.logger, grace: setup.settings.grace)
    try await ledger.checkIDIsFree(until: stop)
    try await ledger.checkAreFree(
      [intake.clientID, control.clientID], at: "\(intake.host):\(intake.port)", until: stop)
    let session = try Session(control, giveUpAfter: giveUpAfter, logger: setup.logger)
    let presence = Presence(session, presence, directory: ledger.directory, workspaces: setup.workspaces)
    let health = try HealthSocket(setup.identity.id, workspaces: setup.workspaces)
    do {
      try health.listen { [patience = max(setup.lease, .seconds(10))] in presence.health(patience: patience) }
    } catch {
      setup.logger.info("'mqtt-fs-worker health' cannot ask this worker: \(error)")
    }
    let control = Control(
      session, topics: topics, retention: retention, presence: presence, logger: setup.logger)
    let source = MQTTJobSource(
      intake, filter: filter, ledger: ledger, control: control, reader: setup.settings.reader, stop: stop,
      giveUpAfter: giveUpAfter, idleTimeout: idleTimeout, logger: setup.logger)
    do {
      try await source.open()
      var done = 0
      var undelivered: Unpublished?
      while true {
        let worker = Worker(
          ledger: ledger, workspaces: workspaces, source: source, settings: setup.settings, stop: stop.forNextJob(),
          logger: setup.logger)
        let outcome = try await worker.run()
        guard outcome.hadJob else { break }
        if case .undelivered(_, let refusal) = outcome { undelivered = refusal }
        done += 1
        guard jobs == 0 || done < jobs, !source.isLeaving else { break }
        await source.workerIsIdle()
      }
      await source.close()
      if source.isLeaving { ledger.audit.note(AuditEntry(.left), setup.logger) }
      // A process that goes on, job after job, has said so in its log.
      if jobs > 0, let undelivered { throw undelivered }
    } catch {
      await source.close()
      throw error
    }
  }
}
