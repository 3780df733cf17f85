import ArgumentParser
import Jobs
import MQTT

/// How the broker is reached.
struct BrokerOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)"))
  var url: String?

  @Option(name: [.customShort("n"), .long], help: "User name. (MQTT_USERNAME)")
  var username: String?

  @Option(name: .shortAndLong, help: "Password; others can see it in the process list. (MQTT_PASSWORD)")
  var password: String?

  @Option(
    help: ArgumentHelp("A file with the password on its first line. (MQTT_PASSWORD_FILE)", valueName: "file"),
    completion: .file())
  var passwordFile: String?

  @Option(
    name: [.customShort("v"), .long],
    help: ArgumentHelp("MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)", valueName: "5|4"))
  var protocolVersion: String?

  @Flag(help: "Use TLS; mqtts:// does, too. (MQTT_TLS)")
  var tls = false

  @Option(
    help: ArgumentHelp("CAs to trust, PEM. (MQTT_CA_CERTS; default: the system's)", valueName: "file"),
    completion: .file())
  var caCerts: String?

  @Option(help: ArgumentHelp("The worker's certificate, PEM. (MQTT_CERTFILE)", valueName: "file"), completion: .file())
  var certfile: String?

  @Option(help: ArgumentHelp("The key of the certificate, PEM. (MQTT_KEYFILE)", valueName: "file"), completion: .file())
  var keyfile: String?

  @Option(help: ArgumentHelp("Put before the client ids. (MQTT_CLIENT_ID_PREFIX)", valueName: "prefix"))
  var clientIdPrefix: String?

  @Option(
    help: ArgumentHelp(
      "Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never)",
      valueName: "duration"))
  var connectTimeout: Timespan?
}

extension BrokerOptions {
  /// The settings of a session with the client id `<prefix><name>`.
  func session(_ name: String, _ environment: Environment) throws -> SessionOptions {
    let address = try address(environment)
    let prefix = clientIdPrefix ?? environment["MQTT_CLIENT_ID_PREFIX"] ?? ""
    var options = SessionOptions(host: address.host, port: address.port, clientID: prefix + name)
    options.version = try version(environment)
    let caFile = caCerts ?? environment["MQTT_CA_CERTS"]
    if address.transport == .tls {
      options.tls = TLSOptions(
        caFile: caFile, certificateFile: certfile ?? environment["MQTT_CERTFILE"],
        keyFile: keyfile ?? environment["MQTT_KEYFILE"])
    }
    let username = username ?? address.username ?? environment["MQTT_USERNAME"]
    let password =
      try password ?? passwordFile.map(secretFile) ?? address.password ?? environment.secret("MQTT_PASSWORD")
    if let username { options.credentials = Credentials(username: username, password: password) }
    guard username != nil || password == nil else {
      throw ValidationError("a password needs a user name: give --username or MQTT_USERNAME too")
    }
    return options
  }

  /// The time after which the session gives up, if any.
  func giveUpAfter(_ environment: Environment) throws -> Duration? {
    try (connectTimeout ?? environment.value("MQTT_CONNECT_TIMEOUT"))?.duration
  }

  private func address(_ environment: Environment) throws -> BrokerAddress {
    let wantsTLS = try tls || environment.flag("MQTT_TLS")
    if let text = url ?? environment["MQTT_URL"] {
      var address = try BrokerAddress(text)
      if wantsTLS, address.transport == .plain {
        address.transport = .tls
        if address.port == 1883, !text.hasSuffix(":1883") { address.port = 8883 }
      }
      return address
    }
    let port: UInt16? = try environment.value("MQTT_PORT")
    return BrokerAddress(
      host: environment["MQTT_BROKER"] ?? "localhost", port: port, transport: wantsTLS ? .tls : .plain)
  }

  /// The version of MQTT to speak.
  func version(_ environment: Environment) throws -> ProtocolVersion {
    switch protocolVersion ?? environment["MQTT_PROTOCOL_VERSION"] ?? "5" {
    case "5": .v5
    case "4", "3.1.1": .v311
    case let text: throw ValidationError("protocol version '\(text)' is not spoken: give 5, or 4 for MQTT 3.1.1")
    }
  }
}

/// A length of time as a user writes it: `90s`, `10m`, `1h30m`, `7d`, or a number of seconds.
struct Timespan: ExpressibleByArgument {
  let duration: Duration

  init(_ duration: Duration) {
    self.duration = duration
  }

  init?(argument: String) {
    guard let duration = try? Duration(jobText: argument) else { return nil }
    self.duration = duration
  }
}
