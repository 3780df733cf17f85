import ArgumentParser
import FoundationEssentials
import Logging
import MQTT
import Steps
import SystemPackage
import Worker

/// `mqtt-fs-worker [work]`: takes one job and exits.
struct Work: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Takes one job id from MQTT, runs the job's steps, publishes the result, and exits.",
    usage: "mqtt-fs-worker [work] [<options>]",
    discussion: """
      Every option can be set in the environment, too: the name stands in parentheses. A flag comes before the \
      environment, and that before the default. Durations are written 90s, 10m, 1h30m, 7d, or as a number of seconds.

      'mqtt-fs-worker check <job folder>' says what is wrong with a job before it is sent; 'mqtt-fs-worker sign <job \
      folder>' makes a signed request for it.
      """)

  @OptionGroup(title: "Broker") var broker: BrokerOptions
  @OptionGroup(title: "Jobs") var work: WorkOptions
  @OptionGroup(title: "Log") var log: LogOptions

  @Flag(help: ArgumentHelp("Without MQTT: run the request in --payload, print its result message."))
  var dryRun = false

  @Option(
    help: ArgumentHelp("The request of a dry run. (default: ./test-payload.json)", valueName: "file"),
    completion: .file())
  var payload: String?

  @Flag(name: [.customShort("V"), .long], help: "Show the version.")
  var version = false

  /// Main runs it this way: the guardian must be there before there are threads.
  func run(guardedBy guardian: Guardian) async throws {
    guard !version else { return try Output.write("mqtt-fs-worker \(workerVersion)\n") }
    try ProcessTree.adoptOrphans()
    ProcessTree.endAbandoned()
    let environment = Environment.current
    var setup = try WorkerSetup(work, log, environment)
    setup.settings.guardian = guardian
    guardian.onLoss { [logger = setup.logger] in logger.warning("\($0)") }
    defer { guardian.dismiss() }
    if Secrets.areInArguments {
      setup.logger.warning(
        "a password was given as an argument, and could be seen in the process list until now; use --password-file")
    }
    if dryRun {
      try await DryRun(payload: FilePath(payload ?? "./test-payload.json"), setup: setup).run()
    } else {
      guard payload == nil else { throw ValidationError("--payload is for --dry-run only") }
      try await MQTTRun(broker, work, setup, environment).run()
    }
  }
}

/// The program's version, as `-V`, result.json and the log show it.
let workerVersion = "0.1.0"
