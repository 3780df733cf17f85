import ArgumentParser
import Client
import Glibc
import Jobs
import Logging
import Settings
import Volume

/// `mqtt-fs-board`: a web page of workers and jobs.
@main
struct Main: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mqtt-fs-board",
    abstract: "Serves a web page of the workers and of the jobs on the volume.",
    discussion: """
      The page shows running jobs with their progress and logs, what waits, and what ended and why. It reads the volume, \
      and the broker if --url, MQTT_URL or MQTT_BROKER names one. It changes nothing unless --allow-cancel is given. \
      Whoever can open the page sees all jobs: it listens on this host only, and elsewhere only with a token.
      """,
    version: programVersion)

  @OptionGroup var volume: VolumeOptions

  @Option(
    help: ArgumentHelp(
      "Where to listen: an IP address and a port; port 0 is any free one. (BOARD_LISTEN; default: 127.0.0.1:8300)",
      valueName: "address:port"))
  var listen: String?

  @Option(
    help: ArgumentHelp(
      "A file with the token that opens the board on its first line, at least 16 characters. Needed to listen on an address that other hosts reach. (BOARD_TOKEN_FILE)",
      valueName: "file"), completion: .file())
  var tokenFile: String?

  @Flag(help: "Let the page cancel running jobs. Needs a broker.")
  var allowCancel = false

  @OptionGroup var topics: TopicOptions
  @OptionGroup(title: "Broker") var broker: BrokerOptions

  func run() async throws {
    signal(SIGPIPE, SIG_IGN)
    // The first process of a container has no default effects.
    for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(0) } }
    raiseFileLimit()
    do {
      try await serve()
    } catch let error as NoVolume {
      complain("\(error)")
      throw ExitCode(74)
    } catch let error as Misconfiguration {
      complain("\(error)")
      throw ExitCode(78)
    }
  }

  private func serve() async throws {
    let environment = Environment.current
    let directory = try volume.directory(environment)
    let address = try ListenAddress(listen ?? environment["BOARD_LISTEN"] ?? "127.0.0.1:8300")
    let token = try (tokenFile ?? environment["BOARD_TOKEN_FILE"]).map(Token.init(file:))
    guard token != nil || address.isLoopback else {
      throw Misconfiguration(
        "\(address) can be reached from other hosts, and whoever opens the board reads all jobs: give a token with "
          + "--token-file, or listen on 127.0.0.1")
    }
    let link = try brokerLink(environment, directory)
    guard link != nil || !allowCancel else {
      throw Misconfiguration(
        "--allow-cancel asks workers over the broker, and none is named: give --url, or MQTT_URL in the environment")
    }
    let census = Census(directory)
    let site = Site(
      directory: directory, census: census, access: Access(address: address, token: token),
      canceling: allowCancel ? link : nil)
    if let link { Task { await link.watch { census.setRoster($0) } } }
    Task { await census.run() }
    try await Server(site, on: address) { port in
      write("http://\(address.with(port: port))/", to: STDOUT_FILENO)
    }.run()
  }

  /// The link to the broker; `nil` if none is named.
  private func brokerLink(_ environment: Environment, _ directory: JobsDirectory) throws -> BrokerLink? {
    guard broker.isNamed(environment) else { return nil }
    var logger = Logger(label: "mqtt-fs-board") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .error
    return BrokerLink(
      options: broker, environment: environment, topics: try topics.topics(environment), directory: directory,
      logger: logger)
  }

  /// Each connection takes a descriptor, and the usual limit of 1024 is soon reached (getrlimit(2)).
  private func raiseFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = min(limit.rlim_max, 65536)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

}

/// Writes a message for people.
func complain(_ text: String) { write("mqtt-fs-board: \(text.onOneLine)", to: STDERR_FILENO) }

/// Writes a line at once, without a buffer.
private func write(_ line: String, to stream: Int32) {
  let bytes = Array("\(line)\n".utf8)
  _ = Glibc.write(stream, bytes, bytes.count)
}

/// The settings do not fit together, or to this host.
struct Misconfiguration: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}
