import ArgumentParser
import FoundationEssentials
import Glibc
import Jobs
import Logging
import MQTT
import Settings
import Signaling
import Signing
import Steps
import Synchronization
import SystemPackage
import Volume
import Worker

/// `mqtt-fs-worker [work]`: takes one job and exits.
struct Work: ParsableCommand, GuardedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Takes one job id from MQTT, runs the job's steps, publishes the result, and exits.",
    usage: "mqtt-fs-worker [work] [<options>]",
    discussion: """
      Every option can also be set by the environment variable in parentheses. An option comes before the environment, and \
      the environment before the default. Durations are written 90s, 10m, 1h30m, 7d, or as a number of seconds.

      'mqtt-fs-worker check <job folder>' finds errors in a job before it is sent; 'mqtt-fs-worker sign <job folder>' makes \
      a signed request for it.
      """)

  @OptionGroup(title: "Broker") var broker: BrokerOptions
  @OptionGroup(title: "Jobs") var work: WorkOptions
  @OptionGroup(title: "Log") var log: LogOptions

  @Flag(
    help: ArgumentHelp(
      "Run the request in --payload without MQTT, and print its result message. Its steps run for real; see also 'run'."
    ))
  var dryRun = false

  @Option(
    help: ArgumentHelp("The request of a dry run. (default: ./test-payload.json)", valueName: "file"),
    completion: .file())
  var payload: String?

  @Flag(name: [.customShort("V"), .long], help: "Show the version.")
  var version = false

  var isPersonal: Bool { dryRun }

  /// Main calls this instead of `run()`: the guardian must be forked before there are threads.
  func run(guardedBy guardian: Guardian) async throws {
    guard !version else { return try Output.write("mqtt-fs-worker \(programVersion)\n") }
    try ProcessTree.adoptOrphans()
    ProcessTree.endAbandoned()
    let environment = Environment.current
    var setup = try WorkerSetup(work, log, environment)
    setup.settings.guardian = guardian
    guardian.onLoss { [logger = setup.logger] in logger.warning("\($0)") }
    defer { guardian.dismiss() }
    if Secrets.areInArguments {
      setup.logger.warning(
        "a password was in the arguments, and other users could read it in the process list until now; use --password-file"
      )
    }
    if dryRun {
      try await DryRun(payload: FilePath(payload ?? "./test-payload.json"), setup: setup).run()
    } else {
      guard payload == nil else { throw ValidationError("--payload needs --dry-run") }
      try await MQTTRun(broker, work, setup, environment).run()
    }
  }
}

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

/// A job without MQTT: the request comes from a file, and the result message goes to stdout.
struct DryRun {
  let payload: FilePath
  let setup: WorkerSetup

  func run() async throws {
    guard let bytes = FileManager.default.contents(atPath: payload.string) else {
      throw InvalidInput(
        description:
          "\(payload) cannot be read; a dry run needs a request there, like {\"id\": \"try\", \"steps\": [\"make\"]}")
    }
    let request = try setup.settings.reader.arriving(Array(bytes))
    request.warn(setup.logger)
    try FileManager.default.createDirectory(atPath: setup.jobs.string, withIntermediateDirectories: true)
    let ledger = try Ledger(JobsDirectory(setup.jobs), worker: setup.identity, filters: [], lease: setup.lease)
    let stop = StopRequest()
    // A dry run ends with its job anyway.
    Signals.stop(stop, setup.logger, grace: setup.settings.grace, finishing: setup.finishing) {}
    let answer = Mutex<ResultMessage?>(nil)
    let source = DryRunSource(request, Array(bytes)) { message in answer.withLock { $0 = message } }
    let worker = Worker(
      ledger: ledger, workspaces: try setup.openWorkspaces(), source: source,
      state: WorkerState(ledger, stop: stop, logger: setup.logger), settings: setup.settings, stop: stop,
      logger: setup.logger)
    let outcome = try await worker.run()
    let failure = try print(answer.withLock(\.self))
    switch outcome {
    case .finished(let result) where result.status == .rejected: throw ExitStatus.badPayload
    case .finished(let result):
      // The failure of a job is more important.
      if result.exitCode == 0, let failure { throw failure }
      throw ExitStatus(rawValue: Int32(truncatingIfNeeded: result.exitCode ?? 70))
    case .superseded, .undelivered: throw ExitStatus.tryAgain
    case .noJob: throw stop.isShutdown ? ExitStatus.terminated : ExitStatus.badPayload
    }
  }

  /// Prints the result message, and returns why that failed.
  private func print(_ message: ResultMessage?) throws -> (any Error)? {
    guard let message else { return nil }
    let line = try message.encoded() + [UInt8(ascii: "\n")]
    do { try Output.write(line) } catch { return error }
    return nil
  }
}
