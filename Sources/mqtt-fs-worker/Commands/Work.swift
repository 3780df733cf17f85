import ArgumentParser
import Glibc
import Logging
import Settings
import Steps
import Worker
import SystemPackage

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
