import Foundation
import Glibc
import Synchronization
public import SystemPackage

/// A real mosquitto for one test, on a free port of 127.0.0.1.
public final class Broker: Sendable {
  /// What the broker keeps when it ends.
  public enum Persistence: Sendable {
    /// Nothing.
    case none
    /// Everything, if it is stopped in order. ``Broker/sessions()`` can read it.
    case onExit
    /// Everything except the last second, even if the broker is killed.
    case everySecond
  }

  /// The broker's configuration (mosquitto.conf(5)).
  public struct Options: Sendable {
    /// How clients connect. A locked broker takes its other settings from the example.
    let access: Access
    /// What the broker keeps.
    public var persistence = Persistence.onExit
    /// Further lines of the configuration, as in `max_inflight_messages 1`. `%d` is the broker's folder.
    public var lines: [String] = []
    /// Files that are made in the broker's folder before it starts and that the lines name: ACLs, passwords,
    /// certificates.
    public var files: [String: String] = [:]
    /// Further accounts that may connect, beside the test's own clients.
    public var anonymous = Anonymous.allowed
    /// The kind of a second listener with TLS on ``Broker/tlsPort``, if there is one.
    public var tls: (server: Certificates.Server, client: Certificates.Client)?

    /// A broker of ``Access/current``, which is open by default, and which keeps everything when it is stopped.
    public init() {
      access = .current
    }

    /// An open broker with further lines.
    public init(_ lines: String...) {
      access = .open
      self.lines = lines
    }

    /// A broker with this kind of access.
    public init(_ access: Access) {
      self.access = access
    }

    /// The same broker with the rights in `rules` (acl_file in mosquitto.conf(5)). The test's own clients have the user
    /// name `test` and all rights.
    public static func acl(_ rules: String) -> Options {
      var options = Options("acl_file %d/acl")
      options.files["acl"] = "\(rules)\n\nuser test\ntopic readwrite #\ntopic read $SYS/#\n"
      return options
    }

    /// A broker that refuses these subscriptions. An ACL file cannot do that: mosquitto reads it only when it delivers.
    /// Such a broker accepts only clients without a user name.
    public static func refusingSubscriptions(to filters: String...) -> Options {
      var options = Options(
        "plugin \(dynamicSecurityPlugin)", "plugin_opt_config_file %d/dynamic-security.json")
      let rules = filters.map { filter -> JSON in
        ["acltype": "subscribeLiteral", "topic": .string(filter), "priority": 1, "allow": false]
      }
      let rights = ["publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"].map {
        ($0, JSON.bool(true))
      }
      let configuration: JSON = [
        "defaultACLAccess": .object(Dictionary(uniqueKeysWithValues: rights)), "anonymousGroup": "everybody",
        "clients": [], "groups": [["groupname": "everybody", "roles": [["rolename": "limited"]], "clients": []]],
        "roles": [["rolename": "limited", "acls": .array(rules)]],
      ]
      options.files["dynamic-security.json"] = configuration.text
      options.clients = .withoutUserName
      return options
    }

    var clients = Clients.test
  }

  /// The account of the test's own clients.
  enum Clients {
    case test, withoutUserName
  }

  /// Whether a client needs a password.
  public enum Anonymous: Sendable {
    /// No password.
    case allowed
    /// A password: `test` for the user `test`, or that of one of `users`.
    case refused(users: [String: String])
  }

  /// The broker's port, which stays the same after a restart. It is outside the range from which the kernel takes ports
  /// for outgoing connections, so no other process takes it meanwhile.
  public let port: UInt16
  /// The port of the listener with TLS.
  public let tlsPort: UInt16
  /// The broker's folder, with its configuration, persistence and log.
  public let folder: FilePath
  let options: Options
  private let marker: [String: String]
  private let process = Mutex<ChildProcess?>(nil)
  private let made = Mutex<Certificates?>(nil)

  /// A broker with its files in `folder`; ``start()`` starts it. `marker` is its environment.
  public init(_ options: Options = Options(), in folder: FilePath, marker: [String: String] = [:]) throws {
    self.options = options
    self.folder = folder
    self.marker = marker
    port = try freePort()
    tlsPort = try freePort()
    try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
    for (name, text) in options.files {
      try text.write(toFile: folder.appending(name).string, atomically: true, encoding: .utf8)
    }
    try writeConfiguration()
  }

  /// Its URL.
  public var url: String { locked == nil ? "mqtt://127.0.0.1:\(port)" : "mqtts://localhost:\(port)" }

  /// Its URL with TLS.
  public var tlsURL: String { "mqtts://localhost:\(tlsPort)" }

  /// The certificates of a broker with TLS, made when it first starts.
  public var certificates: Certificates {
    get throws {
      guard let certificates = made.withLock({ $0 }) else {
        throw WaitedInVain("the broker has no TLS, or did not start")
      }
      return certificates
    }
  }

  private var configuration: FilePath { folder.appending("mosquitto.conf") }
  private var logFile: FilePath { folder.appending("mosquitto.err") }
  var database: FilePath {
    (locked?.root.appending("data") ?? folder).appending("mosquitto.db")
  }

  private func writeConfiguration() throws {
    var lines = try locked?.configuration(port: port) ?? openConfiguration()
    // mosquitto started by root changes to the user mosquitto, who cannot write here.
    if let user = getpwuid(geteuid()) { lines.append("user \(String(cString: user.pointee.pw_name))") }
    try (lines.joined(separator: "\n") + "\n").write(toFile: configuration.string, atomically: true, encoding: .utf8)
  }

  private func openConfiguration() throws -> [String] {
    var lines = ["listener \(port) 127.0.0.1", "log_type all", "log_dest stderr"]
    switch options.persistence {
    case .none: lines.append("persistence false")
    case .onExit: lines += ["persistence true", "persistence_location \(folder)/"]
    case .everySecond:
      lines += ["persistence true", "persistence_location \(folder)/", "autosave_interval 1"]
    }
    switch options.anonymous {
    case .allowed: lines.append("allow_anonymous true")
    case .refused(let users):
      lines += ["allow_anonymous false", "password_file \(folder)/passwords"]
      try writePasswords(users.merging(["test": "test"]) { $1 })
    }
    if let tls = options.tls {
      lines += [
        "listener \(tlsPort) 127.0.0.1", "cafile \(folder)/ca.pem", "certfile \(folder)/server.pem",
        "keyfile \(folder)/server.key", "require_certificate \(tls.client == .certified)",
      ]
    }
    return lines + options.lines.map { $0.replacingOccurrences(of: "%d", with: folder.string) }
  }

  private func writePasswords(_ users: [String: String]) throws {
    let file = folder.appending("passwords")
    let lines = users.map { "\($0.key):\($0.value)\n" }.joined()
    try lines.write(toFile: file.string, atomically: true, encoding: .utf8)
    try ChildProcess(
      installed("mosquitto_passwd"), ["-U", file.string], environment: [:], directory: folder,
      files: folder.appending("passwd")
    ).wait()
  }

  /// Starts the broker, and waits until it listens.
  public func start() async throws {
    if let locked, !FileManager.default.fileExists(atPath: locked.root.string) { try await locked.make() }
    if let tls = options.tls, made.withLock({ $0 == nil }) {
      let certificates = try await Certificates(tls.server, in: folder)
      made.withLock { $0 = certificates }
    }
    try await eventually("a mosquitto on port \(port)") {
      let before = logSize
      let process = try ChildProcess(
        installed("mosquitto"), ["-c", configuration.string], environment: marker, directory: folder,
        files: folder.appending("mosquitto"))
      self.process.withLock { $0 = process }
      try await eventually("mosquitto to start or end") {
        process.end != nil || logged(" running\n", from: before) > 0
      }
      guard let end = process.end else { return true }
      // A test that looks for a free port may have this one for a moment.
      guard logged("Address already in use", from: before) > 0 else {
        throw WaitedInVain("mosquitto ended with \(end): \(log.suffix(2000))")
      }
      return false
    }
  }

  /// Exchanges files that the configuration names, and makes the broker read them again. Connections stay.
  public func reload(_ files: [String: String]) async throws {
    for (name, text) in files {
      try text.write(toFile: folder.appending(name).string, atomically: true, encoding: .utf8)
    }
    let before = logSize
    process.withLock { $0 }?.send(SIGHUP)
    try await eventually("the broker to read its configuration again") { logged("Reloading config", from: before) > 0 }
  }

  /// Stops the broker in order, so that what it keeps is on disk.
  public func stop() async throws {
    guard let process = process.withLock({ $0 }) else { return }
    process.send(SIGCONT)
    // mosquitto ignores a TERM that arrives while it starts.
    try await eventually("the end of the broker") {
      process.send(SIGTERM)
      return process.end != nil
    }
  }

  /// Kills the broker.
  public func kill() async throws {
    guard let process = process.withLock({ $0 }) else { return }
    process.send(SIGKILL)
    try await process.end()
  }

  /// Stops the broker and starts it again on the same port with the state that it kept.
  public func restart() async throws {
    try await stop()
    try await start()
  }

  /// Stops the broker's process with SIGSTOP: connections stay open, but nothing is answered.
  public func freeze() async throws {
    let process = process.withLock { $0 }
    process?.send(SIGSTOP)
    try await process?.stopped()
  }

  /// Continues a stopped broker.
  public func thaw() {
    process.withLock { $0 }?.send(SIGCONT)
  }

  /// The broker's log, with every packet: `Received PUBACK from worker-01 (Mid: 1, RC:0)`.
  public var log: String {
    let data = FileManager.default.contents(atPath: logFile.string) ?? Data()
    return String(decoding: data, as: UTF8.self)
  }

  /// How many lines of the log contain `text`. A `\n` at its end matches the end of a line.
  public func logged(_ text: String) -> Int { logged(text, from: 0) }

  /// The same for the lines after the first `start` bytes of the log.
  func logged(_ text: String, from start: Int) -> Int {
    let log = FileManager.default.contents(atPath: logFile.string) ?? Data()
    var (rest, count) = (log.dropFirst(start), 0)
    while let hit = rest.range(of: Data(text.utf8)) {
      count += 1
      let tail = rest[hit.upperBound...]
      guard !text.hasSuffix("\n") else {
        rest = tail
        continue
      }
      rest = tail.range(of: Data([0x0A])).map { tail[$0.upperBound...] } ?? tail[tail.endIndex...]
    }
    return count
  }

  /// The size of the log in bytes.
  public var logSize: Int {
    var status = stat()
    return stat(logFile.string, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Waits until that many lines of the log contain `text`.
  public func logged(_ text: String, times count: Int = 1, within limit: Duration = patience) async throws {
    try await eventually("\(count) × '\(text)' in the broker's log", within: limit) { logged(text) >= count }
  }

  /// Makes mosquitto write its database, and waits until it has.
  func save() async throws {
    let before = inode(database)
    var told: ContinuousClock.Instant?
    try await eventually("the broker to write its database") {
      // mosquitto ignores a signal that arrives while it writes.
      if told.map({ ContinuousClock.now - $0 > .milliseconds(500) }) ?? true {
        process.withLock { $0 }?.send(SIGUSR1)
        told = .now
      }
      return inode(database) != before
    }
  }
}

/// A file's inode number and time: a new file may get the number of the one before.
private func inode(_ path: FilePath) -> [Int]? {
  var status = stat()
  guard stat(path.string, &status) == 0 else { return nil }
  return [Int(status.st_ino), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
}

/// A port of 127.0.0.1 on which no process listens now.
public func freePort() throws -> UInt16 {
  for _ in 0..<1000 {
    let port = UInt16.random(in: 20000..<32000)
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if code == 0 { return port }
  }
  throw WaitedInVain("no port between 20000 and 32000 is free")
}

/// The path on Debian, Ubuntu and others.
private var dynamicSecurityPlugin: String {
  let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"]
  let files = folders.map { "\($0)/mosquitto_dynamic_security.so" }
  return files.first { access($0, R_OK) == 0 } ?? files[0]
}
