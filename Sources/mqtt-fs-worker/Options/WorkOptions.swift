import ArgumentParser
import Glibc
import Jobs
import Logging
import MQTT
import Settings
import Steps
import SystemPackage
import Volume
import Worker

/// The options of a worker.
struct WorkOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help:
      "The worker's id, also the client id of its session; %h stands for the host name. (WORKER_ID; default: worker-01)"
  )
  var id: String?

  @OptionGroup var volume: VolumeOptions
  @OptionGroup var workspaces: WorkspacesOptions

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The topic of requests; '$share/<group>/<filter>' to share them. May be repeated, most urgent first. (MQTT_TOPIC, separated by blanks; default: jobs/pending)",
      valueName: "filter"))
  var topic: [String] = []

  @OptionGroup var caches: CacheOptions
  @OptionGroup var topics: TopicOptions

  @Flag(help: "Use a clean session; requests sent while no worker is connected are lost. (MQTT_CLEAN)")
  var clean = false

  @OptionGroup var session: SessionExpiryOption

  @Option(
    help: ArgumentHelp(
      "How long the broker may pause between two queued messages, for brokers that send a queue slowly. (MQTT_QUEUE_INTERVAL; default: 0s)",
      valueName: "duration"))
  var queueInterval: Timespan?

  @Option(
    help: ArgumentHelp(
      "How long the broker retains a result for later subscribers, or 'off'. (MQTT_RETAIN; default: 7d)",
      valueName: "duration"))
  var retain: String?

  @Flag(help: "The same as '--retain off'. (MQTT_NO_RETAIN)")
  var noRetain = false

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp("End a job that takes longer. (JOB_TIMEOUT; default: none)", valueName: "duration"))
  var timeout: Timespan?

  @Option(help: ArgumentHelp("The time from TERM to KILL. (JOB_GRACE; default: 10s)", valueName: "duration"))
  var grace: Timespan?

  @Option(
    help: ArgumentHelp(
      "What TERM does to a running job: 'cancel' it, or 'finish' it and leave, as QUIT does. (WORKER_ON_TERM; default: cancel)",
      valueName: "word"), completion: .list(["cancel", "finish"]))
  var onTerm: String?

  @Option(
    help: ArgumentHelp(
      "A worker that does not renew its claim for this long counts as dead. (JOB_LEASE; default: 30s)",
      valueName: "duration"))
  var lease: Timespan?

  @Option(
    help: ArgumentHelp(
      "How many workers may die while running a job before it is given up. (JOB_MAX_ATTEMPTS; default: 3)",
      valueName: "n"))
  var maxAttempts: Int?

  @Flag(
    help:
      "Start a job only after its request is approved with 'mqtt-fs-worker approve'. (JOB_REQUIRE_APPROVAL)")
  var requireApproval = false

  @Option(
    help: ArgumentHelp(
      "The largest log of a step; the first and the last half are kept. (JOB_MAX_LOG_BYTES; default: 104857600)",
      valueName: "bytes"))
  var maxLogBytes: Int64?

  @Flag(
    help: "Also publish the output of steps, on logs/<id>/<step> beside the results topic. (WORKER_PUBLISH_LOGS)")
  var publishLogs = false

  @Option(
    help: ArgumentHelp(
      "Accept only requests that are signed with this key: PEM, a JWK or JWK set, or hs256:<secret>. (JOB_VERIFY_KEY)",
      valueName: "file"), completion: .file())
  var verifyKey: String?

  @Option(
    help: ArgumentHelp(
      "How often the worker publishes its status on workers/<id>/status. (WORKER_HEARTBEAT; default: 15s)",
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
      "Run this many jobs, one after the other; 0 for no limit. (WORKER_JOBS; default: 1)", valueName: "n"))
  var jobs: Int?
}

extension WorkOptions {
  /// How long the broker retains a result, in seconds; `nil` for not at all.
  func retention(_ environment: Environment) throws -> UInt32? {
    let text = retain ?? environment["MQTT_RETAIN"] ?? "7d"
    if try noRetain || environment.flag("MQTT_NO_RETAIN") || text == "off" { return nil }
    guard let duration = Timespan(argument: text)?.duration, duration >= .seconds(1) else {
      throw ValidationError("'\(text)' is no time to retain results for: give a duration, as in 7d, or 'off'")
    }
    return UInt32(clamping: duration.components.seconds)
  }

  /// Which signals let a job come to its end.
  func finishing(_ environment: Environment) throws -> Signals.Finishing {
    switch onTerm ?? environment["WORKER_ON_TERM"] ?? "cancel" {
    case "cancel": return .onQuit
    case "finish": return .onTermAndQuit
    case let word: throw ValidationError("--on-term '\(word)' is neither 'cancel' nor 'finish'")
    }
  }

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
    ProgressLine.show(ProgressLine.text(doing, progress.copy, progress.total))
  }

  /// The topic filters, most urgent first.
  func filters(_ environment: Environment) throws -> [TopicFilter] { try requestFilters(topic, environment) }

  /// The names of this worker in a signed request's audience: its id, and its groups.
  func audience(of worker: WorkerID, _ environment: Environment) throws -> [String] {
    [worker.text] + (try filters(environment).compactMap(\.shareName))
  }

  func leaseDuration(_ environment: Environment) throws -> Duration {
    let lease = try (lease ?? environment.value("JOB_LEASE"))?.duration ?? .seconds(30)
    guard lease >= .seconds(1) else {
      throw ValidationError("lease must be at least 1s: a shorter one cannot be renewed in time over a network")
    }
    return lease
  }

  func heartbeatInterval(_ environment: Environment) throws -> Duration {
    let heartbeat = try (heartbeat ?? environment.value("WORKER_HEARTBEAT"))?.duration ?? .seconds(15)
    guard (.seconds(1) ... .seconds(86400)).contains(heartbeat) else {
      throw ValidationError("heartbeat must be between 1s and 1d")
    }
    return heartbeat
  }

  func jobCount(_ environment: Environment) throws -> Int {
    let count = try jobs ?? environment.value("WORKER_JOBS") ?? 1
    guard count >= 0 else {
      throw ValidationError("--jobs \(count) is negative: give the number of jobs, or 0 for no limit")
    }
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
