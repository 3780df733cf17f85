import ArgumentParser
import Jobs
import MQTT
import Steps
import SystemPackage
import Worker

/// The options of a worker.
struct WorkOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help:
      "This worker's id, and the client id of its session; %h becomes the host name. (WORKER_ID; default: worker-01)")
  var id: String?

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The shared volume. (MQTT_JOBS_DIR; default: ./jobs)", valueName: "folder"),
    completion: .directory)
  var jobsDir: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Where steps run, on a local disk. (MQTT_WORKSPACES_DIR; default: ./workspaces)", valueName: "folder"),
    completion: .directory)
  var workspacesDir: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Where requests arrive; '$share/<group>/<filter>' to share them. (MQTT_TOPIC; default: jobs/pending)",
      valueName: "filter"))
  var topic: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Results go to <topic>/<id>. (MQTT_RESULTS_TOPIC; default: jobs/results)", valueName: "topic"))
  var resultsTopic: String?

  @Flag(help: "Keep no session between lives. The default loses nothing, this may. (MQTT_CLEAN)")
  var clean = false

  @Option(
    help: ArgumentHelp(
      "How long the broker keeps the session of a worker that is away. (MQTT_SESSION_EXPIRY; default: 7d)",
      valueName: "duration"))
  var sessionExpiry: Timespan?

  @Flag(help: "Do not have the broker keep results for those who come late. (MQTT_NO_RETAIN)")
  var noRetain = false

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp("Ends a job that takes longer. (JOB_TIMEOUT; default: none)", valueName: "duration"))
  var timeout: Timespan?

  @Option(help: ArgumentHelp("From TERM to KILL. (JOB_GRACE; default: 10s)", valueName: "duration"))
  var grace: Timespan?

  @Option(
    help: ArgumentHelp(
      "A worker that does not touch its claim for this long counts as dead. (JOB_LEASE; default: 30s)",
      valueName: "duration"))
  var lease: Timespan?

  @Option(
    help: ArgumentHelp(
      "How many workers may die over a job until it is given up. (JOB_MAX_ATTEMPTS; default: 3)", valueName: "n"))
  var maxAttempts: Int?

  @Flag(
    help:
      "Begin a job only when somebody has approved its request with 'mqtt-fs-worker approve'. (JOB_REQUIRE_APPROVAL)")
  var requireApproval = false

  @Option(
    help: ArgumentHelp(
      "How much of a step's output is kept: the first and the last half. (JOB_MAX_LOG_BYTES; default: 104857600)",
      valueName: "bytes"))
  var maxLogBytes: Int64?

  @Flag(
    help: "Publish what steps write on <beside the results topic>/logs/<id>/<step>, too. (WORKER_PUBLISH_LOGS)")
  var publishLogs = false

  @Option(
    help: ArgumentHelp(
      "Take only requests that are signed with this key: PEM, a JWK or JWK set, or hs256:<secret>. (JOB_VERIFY_KEY)",
      valueName: "file"), completion: .file())
  var verifyKey: String?

  @Option(
    help: ArgumentHelp(
      "How often the worker says how it is, on workers/<id>/status. (WORKER_HEARTBEAT; default: 15s)",
      valueName: "duration"))
  var heartbeat: Timespan?

  @Option(
    help: ArgumentHelp(
      "A variable whose value is masked as *** in logs and results; may be repeated. (JOB_REDACT, separated by commas)",
      valueName: "name"))
  var redact: [String] = []

  @Option(
    help: ArgumentHelp(
      "Exit after this long without a job. (WORKER_IDLE_TIMEOUT; default: never)", valueName: "duration"))
  var idleTimeout: Timespan?

  @Option(
    help: ArgumentHelp(
      "Take this many jobs, one after the other; 0 for no end. (WORKER_JOBS; default: 1)", valueName: "n"))
  var jobs: Int?
}

extension WorkOptions {
  /// The settings for jobs.
  func settings(_ environment: Environment) throws -> WorkerSettings {
    var settings = WorkerSettings()
    settings.timeout = try (timeout ?? environment.value("JOB_TIMEOUT"))?.duration
    settings.grace = try (grace ?? environment.value("JOB_GRACE"))?.duration ?? settings.grace
    settings.maxAttempts = try positive(maxAttempts, "JOB_MAX_ATTEMPTS", environment) ?? settings.maxAttempts
    settings.maxLogBytes = try positive(maxLogBytes, "JOB_MAX_LOG_BYTES", environment) ?? settings.maxLogBytes
    settings.approval =
      try requireApproval || environment.flag("JOB_REQUIRE_APPROVAL") ? .always : .whereTheJobSaysSo
    settings.logRelaying = try publishLogs || environment.flag("WORKER_PUBLISH_LOGS") ? .on : .off
    settings.secretNames = SecretNames(redact + (environment["JOB_REDACT"]?.split(separator: ",").map(trimmed) ?? []))
    settings.environment = StepEnvironment(hiding: [VerifyKey.variable])
    if ProgressLine.isWanted { settings.onProgress = showProgress }
    return settings
  }

  @Sendable private func showProgress(_ progress: JobProgress?) {
    guard let progress else { return ProgressLine.clear() }
    let doing = progress.phase == .stage ? "staging \(progress.id)" : "bringing back files of \(progress.id)"
    ProgressLine.show(ProgressLine.text(doing, progress.copy))
  }

  func folders(_ environment: Environment) throws -> (jobs: FilePath, workspaces: FilePath) {
    let jobs = FilePath(jobsDir ?? environment["MQTT_JOBS_DIR"] ?? "./jobs")
    return (jobs, workspacesFolder(workspacesDir, environment))
  }

  func filter(_ environment: Environment) throws -> TopicFilter {
    do {
      return try TopicFilter(topic ?? environment["MQTT_TOPIC"] ?? "jobs/pending")
    } catch {
      throw ValidationError(error.description)
    }
  }

  /// The names of this worker in a signed request's audience: its id, and its group.
  func audience(of worker: WorkerID, _ environment: Environment) throws -> [String] {
    [worker.text] + [try filter(environment).shareName].compactMap(\.self)
  }

  func leaseDuration(_ environment: Environment) throws -> Duration {
    let lease = try (lease ?? environment.value("JOB_LEASE"))?.duration ?? .seconds(30)
    guard lease >= .seconds(1) else { throw ValidationError("a lease of less than 1s cannot be kept over a network") }
    return lease
  }

  func heartbeatInterval(_ environment: Environment) throws -> Duration {
    let heartbeat = try (heartbeat ?? environment.value("WORKER_HEARTBEAT"))?.duration ?? .seconds(15)
    guard (.seconds(1) ... .seconds(86400)).contains(heartbeat) else {
      throw ValidationError("a heartbeat must be between 1s and 1d")
    }
    return heartbeat
  }

  func jobCount(_ environment: Environment) throws -> Int {
    let count = try jobs ?? environment.value("WORKER_JOBS") ?? 1
    guard count >= 0 else { throw ValidationError("--jobs \(count): give how many jobs in all, or 0 for no end") }
    return count
  }

  private func positive<T: BinaryInteger & ExpressibleByArgument>(
    _ flag: T?, _ name: String, _ environment: Environment
  ) throws -> T? {
    guard let value = try flag ?? environment.value(name) else { return nil }
    guard value > 0 else { throw ValidationError("\(name)=\(value) must be more than 0") }
    return value
  }
}

private func trimmed(_ text: Substring) -> String {
  String(text.filter { !$0.isWhitespace })
}
