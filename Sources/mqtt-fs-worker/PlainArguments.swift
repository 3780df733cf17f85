import ArgumentParser

/// A command line of the plain kind that restart loops and containers start workers with: `--name value`, `--name=value`,
/// `-n value` and `--name`, each once.
///
/// It is read without ArgumentParser, whose reflection over some fifty options takes as long as all else that a worker does
/// before it is connected. What is not plain is for the parser, and so is everything that is to be told to a person.
struct PlainArguments {
  private var words: [(name: String, value: String?)] = []
  private var isOdd = false

  /// Takes the words behind the program's name.
  init(_ arguments: some Sequence<String>) {
    for argument in arguments {
      if argument.hasPrefix("-") {
        if argument.hasPrefix("--"), let sign = argument.firstIndex(of: "=") {
          words.append((String(argument[..<sign]), String(argument[argument.index(after: sign)...])))
        } else {
          words.append((argument, nil))
        }
      } else if let last = words.indices.last, words[last].value == nil {
        words[last].value = argument
      } else {
        isOdd = true
      }
    }
  }

  /// Whether each word has been taken, and meant what it was taken for.
  var areUnderstood: Bool { words.isEmpty && !isOdd }

  /// Takes the value of an option; `nil` if it is not there. The parser has its own mind about empty ones.
  mutating func value<T: ExpressibleByArgument>(_ names: String...) -> T? {
    guard let word = take(names) else { return nil }
    let value = word.value.flatMap { $0.isEmpty ? nil : T(argument: $0) }
    if value == nil { isOdd = true }
    return value
  }

  /// Takes a flag; `false` if it is not there.
  mutating func flag(_ names: String...) -> Bool {
    guard let word = take(names) else { return false }
    if word.value != nil { isOdd = true }
    return true
  }

  private mutating func take(_ names: [String]) -> (name: String, value: String?)? {
    guard let index = words.firstIndex(where: { names.contains($0.name) }) else { return nil }
    return words.remove(at: index)
  }
}

extension Work {
  /// The command of a plain command line; `nil` for one that the parser must read.
  ///
  /// Every option of ``Work`` must have a line here: one without cannot be read afterwards, and ends the program.
  init?(plain arguments: some Sequence<String>) {
    var words = PlainArguments(arguments)
    self.init()
    broker = BrokerOptions(&words)
    work = WorkOptions(&words)
    log = LogOptions(&words)
    dryRun = words.flag("--dry-run")
    payload = words.value("--payload")
    version = words.flag("-V", "--version")
    guard words.areUnderstood else { return nil }
  }
}

extension BrokerOptions {
  fileprivate init(_ words: inout PlainArguments) {
    self.init()
    url = words.value("-u", "--url")
    username = words.value("-n", "--username")
    password = words.value("-p", "--password")
    passwordFile = words.value("--password-file")
    protocolVersion = words.value("-v", "--protocol-version")
    tls = words.flag("--tls")
    caCerts = words.value("--ca-certs")
    certfile = words.value("--certfile")
    keyfile = words.value("--keyfile")
    clientIdPrefix = words.value("--client-id-prefix")
    connectTimeout = words.value("--connect-timeout")
  }
}

extension WorkOptions {
  fileprivate init(_ words: inout PlainArguments) {
    self.init()
    id = words.value("-i", "--id")
    jobsDir = words.value("-j", "--jobs-dir")
    workspacesDir = words.value("-w", "--workspaces-dir")
    topic = words.value("-t", "--topic")
    resultsTopic = words.value("-r", "--results-topic")
    clean = words.flag("--clean")
    sessionExpiry = words.value("--session-expiry")
    noRetain = words.flag("--no-retain")
    timeout = words.value("-o", "--timeout")
    grace = words.value("--grace")
    lease = words.value("--lease")
    maxAttempts = words.value("--max-attempts")
    requireApproval = words.flag("--require-approval")
    maxLogBytes = words.value("--max-log-bytes")
    verifyKey = words.value("--verify-key")
    publishLogs = words.flag("--publish-logs")
    heartbeat = words.value("--heartbeat")
    redact = words.value("--redact").map { [$0] } ?? []
    idleTimeout = words.value("--idle-timeout")
    jobs = words.value("--jobs")
  }
}

extension LogOptions {
  fileprivate init(_ words: inout PlainArguments) {
    self.init()
    logLevel = words.value("--log-level")
    logFormat = words.value("--log-format")
  }
}
