import Foundation
import MQTT
import SystemPackage
public import Testing

/// How clients get access to the brokers of scenes.
public enum Access: String, Sendable, CaseIterable {
  /// Any client may do anything.
  case open
  /// As in `examples/mosquitto`, for production: TLS, client certificates, accounts, and only the rights that they
  /// need.
  case locked

  /// The access of brokers for which a test sets none.
  @TaskLocal public static var current = Access.open
}

/// Runs each test of a suite twice, over an open broker and over a locked one.
public struct EveryAccess: SuiteTrait, TestTrait, TestScoping {
  /// All tests of a suite, and of the suites in it.
  public var isRecursive: Bool { true }

  /// Runs the test once for each kind of access.
  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    for access in Access.allCases { try await Access.$current.withValue(access) { try await function() } }
  }
}

extension Trait where Self == EveryAccess {
  /// The same tests pass over a production broker.
  public static var everyAccess: EveryAccess { EveryAccess() }
}

/// The files of a broker that the example's own scripts set up.
struct LockedFolder: Sendable {
  /// The folder in place of `/mosquitto`.
  let root: FilePath
  static let example = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
    .appending("examples").appending("mosquitto")

  func certificate(_ name: String) -> String { root.appending("certs").appending(name).string }

  func passwordFile(_ account: String) -> String { root.appending("config").appending("\(account).password").string }

  func password(_ account: String) -> String? {
    (try? String(contentsOfFile: passwordFile(account), encoding: .utf8))?.split(separator: "\n").first.map(String.init)
  }

  /// The example's configuration, with the paths of this test and a free port.
  func configuration(port: UInt16) throws -> [String] {
    let text = try String(contentsOfFile: LockedFolder.example.appending("mosquitto.conf").string, encoding: .utf8)
      .replacingOccurrences(of: "/mosquitto/", with: "\(root)/")
      .replacingOccurrences(of: "listener 8883", with: "listener \(port) 127.0.0.1")
    return [text, "log_type all"]
  }

  /// Makes certificates and accounts; `test` may do everything.
  func make() async throws {
    for folder in ["config", "data"] {
      try FileManager.default.createDirectory(
        atPath: root.appending(folder).string, withIntermediateDirectories: true)
    }
    let acl = try String(contentsOfFile: LockedFolder.example.appending("acl").string, encoding: .utf8)
    try (acl + "\nuser test\ntopic readwrite #\ntopic read $SYS/#\n")
      .write(toFile: root.appending("config/acl").string, atomically: true, encoding: .utf8)
    try await LockedFolder.run("make-certificates.sh", [root.appending("certs").string, "localhost", "127.0.0.1"])
    try await LockedFolder.run(
      "make-accounts.sh", [root.appending("config").string, "worker", "controller", "observer", "test"])
  }

  /// Options of a session with an account of the example's; `test` shows the controller's certificate.
  func sessionOptions(_ clientID: String, as account: String, port: UInt16) -> SessionOptions {
    var options = SessionOptions(host: "localhost", port: port, clientID: clientID)
    let holder = account == "test" ? "controller" : account
    options.tls = TLSOptions(
      caFile: certificate("ca.crt"), certificateFile: certificate("\(holder).crt"),
      keyFile: certificate("\(holder).key"))
    options.credentials = Credentials(username: account, password: password(account))
    return options
  }

  /// Runs a script of the example.
  static func run(_ script: String, _ arguments: [String]) async throws {
    let folder = FilePath(arguments[0]).removingLastComponent()
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let process = try ChildProcess(
      example.appending(script), arguments,
      environment: ["PATH": "\(path):/usr/bin:/bin:/usr/local/bin"], directory: folder,
      files: folder.appending("\(script).\(UUID().uuidString.prefix(8))"))
    guard try await process.end() == .code(0) else { throw WaitedInVain("\(script): \(process.errors)") }
  }
}

extension Broker {
  var locked: LockedFolder? {
    options.access == .locked ? LockedFolder(root: folder.appending("mosquitto")) : nil
  }

  /// Makes certificates and passwords of a locked broker with the example's scripts. The broker reads them when it
  /// starts.
  public func renew() async throws {
    try await locked?.make()
  }

  /// The password of an account of a locked broker.
  public func password(of account: String) throws -> String {
    guard let password = locked?.password(account) else { throw WaitedInVain("the broker has no account \(account)") }
    return password
  }

  /// The variables with which a worker reaches this broker.
  public var workerEnvironment: [String: String] { environment(as: "worker") }

  /// The variables with which a command reaches this broker with the account.
  public func environment(as account: String) -> [String: String] {
    guard let locked else { return ["MQTT_URL": url] }
    return [
      "MQTT_URL": url, "MQTT_CA_CERTS": locked.certificate("ca.crt"),
      "MQTT_CERTFILE": locked.certificate("\(account).crt"), "MQTT_KEYFILE": locked.certificate("\(account).key"),
      "MQTT_USERNAME": account, "MQTT_PASSWORD_FILE": locked.passwordFile(account),
    ]
  }

  /// The variables for mosquitto's own clients: a folder with the options of each (mosquitto_pub(1)).
  public func clientEnvironment(as account: String = "controller") throws -> [String: String] {
    let settings = folder.appending("clients-\(account)")
    try FileManager.default.createDirectory(atPath: settings.string, withIntermediateDirectories: true)
    var options = ["-h \(locked == nil ? "127.0.0.1" : "localhost")", "-p \(port)"]
    if let locked {
      options += [
        "--cafile \(locked.certificate("ca.crt"))", "--cert \(locked.certificate("\(account).crt"))",
        "--key \(locked.certificate("\(account).key"))", "-u \(account)", "-P \(locked.password(account) ?? "")",
      ]
    }
    for client in ["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"] {
      try (options.joined(separator: "\n") + "\n")
        .write(toFile: settings.appending(client).string, atomically: true, encoding: .utf8)
    }
    return ["XDG_CONFIG_HOME": settings.string]
  }
}
