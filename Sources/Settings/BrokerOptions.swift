package import ArgumentParser
package import Client
import Jobs
package import Logging
package import MQTT
import Volume

/// The options of the connection to the broker.
package struct BrokerOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The broker: mqtt:// or mqtts://[user@]host[:port]. (MQTT_URL; default: mqtt://localhost:1883)"))
  package var url: String?

  @Option(name: [.customShort("n"), .long], help: "User name. (MQTT_USERNAME)")
  package var username: String?

  @Option(name: .shortAndLong, help: "Password; other users can read it in the process list. (MQTT_PASSWORD)")
  package var password: String?

  @Option(
    help: ArgumentHelp("A file with the password on its first line. (MQTT_PASSWORD_FILE)", valueName: "file"),
    completion: .file())
  package var passwordFile: String?

  @Option(
    name: [.customShort("v"), .long],
    help: ArgumentHelp("MQTT 5, or 4 for 3.1.1. (MQTT_PROTOCOL_VERSION; default: 5)", valueName: "5|4"))
  package var protocolVersion: String?

  @Flag(help: "Use TLS, as with mqtts://. (MQTT_TLS)")
  package var tls = false

  @Option(
    help: ArgumentHelp("CAs to trust, PEM. (MQTT_CA_CERTS; default: the system's)", valueName: "file"),
    completion: .file())
  package var caCerts: String?

  @Option(help: ArgumentHelp("The worker's certificate, PEM. (MQTT_CERTFILE)", valueName: "file"), completion: .file())
  package var certfile: String?

  @Option(help: ArgumentHelp("The key of the certificate, PEM. (MQTT_KEYFILE)", valueName: "file"), completion: .file())
  package var keyfile: String?

  @Option(help: ArgumentHelp("The prefix of all client ids. (MQTT_CLIENT_ID_PREFIX)", valueName: "prefix"))
  package var clientIdPrefix: String?

  @Option(
    help: ArgumentHelp(
      "Give up (exit 69) after this long without a connection. (MQTT_CONNECT_TIMEOUT; default: never for a worker, 30s for other commands)",
      valueName: "duration"))
  package var connectTimeout: Timespan?

  /// Without values: the parser fills them in.
  package init() {}
}

extension BrokerOptions {
  /// Whether a broker is named, by an option or by the environment.
  package func isNamed(_ environment: Environment) -> Bool {
    url != nil || environment["MQTT_URL"] != nil || environment["MQTT_BROKER"] != nil
  }

  /// The settings of a session with the client id `<prefix><name>`.
  package func session(_ name: String, _ environment: Environment) throws -> SessionOptions {
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
      throw ValidationError("a password needs a user name: give --username or MQTT_USERNAME, too")
    }
    return options
  }

  /// The time after which the session gives up, if any.
  package func giveUpAfter(_ environment: Environment) throws -> Duration? {
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

  /// The version of MQTT.
  package func version(_ environment: Environment) throws -> ProtocolVersion {
    switch protocolVersion ?? environment["MQTT_PROTOCOL_VERSION"] ?? "5" {
    case "5": .v5
    case "4", "3.1.1": .v311
    case let text: throw ValidationError("protocol version '\(text)' is not supported: give 5, or 4 for MQTT 3.1.1")
    }
  }
}

/// A duration as an option: `90s`, `10m`, `1h30m`, `7d`, or a number of seconds.
package struct Timespan: ExpressibleByArgument {
  package let duration: Duration

  package init(_ duration: Duration) {
    self.duration = duration
  }

  package init?(argument: String) {
    guard let duration = try? Duration(jobText: argument) else { return nil }
    self.duration = duration
  }
}

extension BrokerOptions {
  /// Opens a client's session for as long as `body` runs. Its client id, `<prefix><command>-<random>`, is used once, so
  /// any number of clients can run at a time. The password is wiped from the arguments and the environment. People wait for
  /// 30 s at most, or for `patience` if that is less, unless they say otherwise; with `persisting` that is for the first
  /// connection.
  package func withClient<T: Sendable>(
    _ command: String, _ environment: Environment, logger: Logger, keptFor expiry: UInt32 = 0, persisting: Bool = false,
    giveUpAfter patience: Duration? = nil, _ body: (BrokerClient) async throws -> T
  ) async throws -> T {
    var options = try session("\(command)-\(randomSuffix())", environment)
    let limit = try giveUpAfter(environment)
    Secrets.wipe()
    if options.version == .v5, expiry > 0 {
      // The broker keeps messages while the connection is down.
      options.sessionExpiry = expiry
    } else {
      options.start = .clean
    }
    return try await BrokerClient.withClient(
      options, giveUpAfter: limit ?? min(patience ?? .seconds(30), .seconds(30)),
      persisting: persisting && limit == nil, logger: logger, body)
  }
}

/// 12 hexadecimal digits: with a short command the client id has at most the 23 characters that every broker accepts
/// (MQTT 3.1.1, section 3.1.3.1).
private func randomSuffix() -> String {
  let digits = String(UInt64.random(in: 0..<1 << 48), radix: 16)
  return String(repeating: "0", count: 12 - digits.count) + digits
}

/// The address of a broker and its transport: `mqtt://host:1883`, `mqtts://user:password@host:8883`.
package struct BrokerAddress: Equatable {
  package enum Transport: Equatable {
    case plain, tls
  }

  package var host: String
  package var port: UInt16
  package var transport: Transport
  package var username: String?
  package var password: String?

  package init(host: String, port: UInt16?, transport: Transport) {
    self.host = host
    self.port = port ?? (transport == .tls ? 8883 : 1883)
    self.transport = transport
  }

  /// Parses a URL; the scheme and the port are optional.
  package init(_ text: String) throws {
    func invalid(_ reason: String) -> ValidationError {
      ValidationError("'\(withoutPassword(text))' is not a broker's URL: \(reason), as in mqtt://localhost:1883")
    }
    let colon = text.firstIndex(of: ":").flatMap { text[$0...].hasPrefix("://") ? $0 : nil }
    let scheme = colon.map { text[..<$0].lowercased() } ?? "mqtt"
    var rest = colon.map { text[$0...].dropFirst(3) } ?? text[...]
    switch scheme {
    case "mqtt", "tcp": transport = .plain
    case "mqtts", "ssl", "tls": transport = .tls
    case "ws", "wss": throw invalid("MQTT over WebSocket is not supported; use mqtt:// or mqtts://")
    default: throw invalid("the scheme '\(scheme)' is unknown; use mqtt:// or mqtts://")
    }
    if rest.hasSuffix("/") { rest.removeLast() }
    guard !rest.contains(where: { "/?#".contains($0) }) else { throw invalid("nothing may follow the port") }
    if let at = rest.lastIndex(of: "@") {
      let user = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      username = percentDecoded(String(user[0]))
      password = user.count > 1 ? percentDecoded(String(user[1])) : nil
      rest = rest[rest.index(after: at)...]
    }
    var digits: Substring?
    if rest.hasPrefix("[") {
      guard let end = rest.firstIndex(of: "]") else { throw invalid("the ']' of the IPv6 address is missing") }
      host = String(rest[rest.index(after: rest.startIndex)..<end])
      let tail = rest[rest.index(after: end)...]
      guard tail.isEmpty || tail.hasPrefix(":") else { throw invalid("a port follows the address as ':1883'") }
      if !tail.isEmpty { digits = tail.dropFirst() }
    } else {
      let pieces = rest.split(separator: ":", omittingEmptySubsequences: false)
      guard pieces.count <= 2 else { throw invalid("an IPv6 address needs brackets, as in [::1]") }
      host = pieces.first.map(String.init) ?? ""
      digits = pieces.count == 2 ? pieces[1] : nil
    }
    guard !host.isEmpty, !host.contains(where: \.isWhitespace) else { throw invalid("the host is missing") }
    guard let digits else {
      port = transport == .tls ? 8883 : 1883
      return
    }
    guard let number = UInt16(digits), number > 0 else { throw invalid("the port must be a number from 1 to 65535") }
    port = number
  }
}

/// A URL without its user and password, for messages.
package func withoutPassword(_ text: String) -> String {
  guard let at = text.lastIndex(of: "@") else { return text }
  return "…\(text[at...])"
}
