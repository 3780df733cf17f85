import ArgumentParser
import Client
import Glibc
import Jobs
import Logging
import MQTT
import Settings
import Signing
import Synchronization
import SystemPackage
import Volume

extension VolumeOptions {
  /// The volume, and the job `text` on it. Prints a message and throws ``ExitStatus/noSuchJob`` if there is none.
  func job(_ text: String, for command: String) throws -> (directory: JobsDirectory, job: JobSummary) {
    let (directory, id) = (try directory(.current), try JobID(text))
    guard let job = try JobListing(directory).job(id) else {
      Console(command).say("there is no job \(id) in \(directory.path); --jobs-dir names another volume")
      throw ExitStatus.noSuchJob
    }
    return (directory, job)
  }
}

extension Secrets {
  /// A usage error for `error` without the passwords of the arguments.
  ///
  /// A parser repeats arguments that it does not know, such as the forms of other programs (`-pSECRET`, `-P SECRET`,
  /// `--pw SECRET`).
  static func usageError(_ error: any Error) -> any Error {
    let arguments = Array(CommandLine.arguments.dropFirst())
    let shown = SecretArguments.masked(arguments)
    guard shown != arguments else { return error }
    do {
      _ = try RootCommand.parseAsRoot(shown)
      return ValidationError("the arguments cannot be read, and a password among them is not shown; see --help")
    } catch {
      return error
    }
  }
}

/// The option for the folder of the workspaces.
struct WorkspacesOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Where steps run, on a local disk. (MQTT_WORKSPACES_DIR; default: ./workspaces)", valueName: "folder"),
    completion: .directory)
  var workspacesDir: String?

  func validate() throws {
    guard workspacesDir != "" else { throw ValidationError("--workspaces-dir is empty: give a folder on a local disk") }
  }

  /// The folder from `--workspaces-dir`, the environment, or the default.
  func folder(_ environment: Environment) -> FilePath {
    FilePath(workspacesDir ?? environment["MQTT_WORKSPACES_DIR"] ?? "./workspaces")
  }
}

/// The option for the life of a worker's session at the broker.
struct SessionExpiryOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How long the broker keeps the session of a worker without a connection. (MQTT_SESSION_EXPIRY; default: 7d)",
      valueName: "duration"))
  var sessionExpiry: Timespan?

  /// The Session Expiry Interval (MQTT 5, section 3.1.2.11.2).
  func seconds(_ environment: Environment) throws -> UInt32 {
    let expiry = try (sessionExpiry ?? environment.value("MQTT_SESSION_EXPIRY"))?.duration ?? .seconds(7 * 86400)
    return UInt32(clamping: expiry.components.seconds)
  }
}

/// The options of a signed request.
struct SigningOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The key's name in a set of keys. (default: that of the JWK)", valueName: "name"))
  var kid: String?

  @Option(
    help: ArgumentHelp(
      "A worker, or a group of workers, that may run a signed request; may be repeated. (default: any)",
      valueName: "name"))
  var aud: [String] = []

  @Option(
    help: ArgumentHelp("How long workers may start a signed request. (default: 1h)", valueName: "duration"))
  var expires: Timespan?

  /// How long workers may start the request.
  var lifetime: Duration { expires?.duration ?? .seconds(3600) }

  /// The key in `file`.
  func key(in file: KeyFile) throws -> SigningKey {
    try file.read { (bytes) throws(InvalidKey) in try SigningKey(file: bytes, name: kid) }
  }
}

/// The workers' topic filters from `--topic`, the environment, or the default, most urgent first. In the environment
/// blanks separate them.
func requestFilters(_ flags: [String], _ environment: Environment) throws -> [TopicFilter] {
  let variable = (environment["MQTT_TOPIC"] ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
  let texts = !flags.isEmpty ? flags : variable.isEmpty ? ["jobs/pending"] : variable
  var filters: [TopicFilter] = []
  for text in texts {
    do {
      filters.append(try TopicFilter(text))
    } catch {
      throw ValidationError(error.description)
    }
    let filter = filters[filters.count - 1]
    if let other = filters.dropLast().first(where: filter.overlaps) {
      throw ValidationError(
        other == filter
          ? "topic '\(text)' is there twice: name each topic once, most urgent first"
          : "topics '\(other.text)' and '\(text)' match the same topics, and the broker would send those requests twice; name "
            + "topics that exclude each other, most urgent first")
    }
  }
  return filters
}

/// The topic for requests: the workers' filter without `$share/<group>/`. Of several in the environment the last, least
/// urgent one, so that a request is only urgent if its sender says so.
func requestTopic(_ flag: String?, _ environment: Environment) throws -> String {
  let filters = try requestFilters([flag].compactMap(\.self), environment)
  let filter = filters[filters.count - 1]
  guard !filter.pattern.contains(where: { "+#".contains($0) }) else {
    throw ValidationError("topic '\(filter.text)' has wildcards: a request goes to one topic, as in -t jobs/pending")
  }
  return filter.pattern
}

/// The worker's id from `--id`, the environment, or the default.
func workerID(_ flag: String?, _ environment: Environment) throws -> WorkerID {
  let text = flag ?? environment["WORKER_ID"] ?? "worker-01"
  guard let id = WorkerID(text, host: hostName()) else {
    throw ValidationError(
      "worker id '\(text)' must be letters, digits, '.', '_' and '-', start with a letter or digit, and have at most "
        + "128 characters; %h stands for the host name")
  }
  guard id.text != "all" else {
    throw ValidationError("worker id 'all' is reserved: workers/all/command goes to all workers; give another --id")
  }
  return id
}

/// The options of the log on stderr.
struct LogOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)", valueName: "level"),
    completion: .list(Logger.Level.allCases.map(\.rawValue)))
  var logLevel: String?

  @Option(
    help: ArgumentHelp(
      "text or json. (LOG_FORMAT; default: text on a terminal, else json)", valueName: "format"),
    completion: .list(["text", "json"]))
  var logFormat: String?
}

extension LogOptions {
  /// A logger with the worker's id in every line.
  func logger(_ environment: Environment, worker: WorkerID) throws -> Logger {
    var logger = try logger(environment, level: .info, format: isatty(STDERR_FILENO) == 1 ? .text : .json)
    logger[metadataKey: "worker"] = "\(worker)"
    return logger
  }

  /// The logger of a client command: warnings as text.
  func logger(_ environment: Environment) throws -> Logger {
    try logger(environment, level: .warning, format: .text)
  }

  private static let bootstrap = Mutex(false)

  private func logger(_ environment: Environment, level: Logger.Level, format: LogLine.Format) throws -> Logger {
    let name = logLevel ?? environment["LOG_LEVEL"] ?? level.rawValue
    guard let level = Logger.Level(rawValue: name.lowercased() == "warn" ? "warning" : name.lowercased()) else {
      throw ValidationError(
        "log level '\(name)' is none of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let form = logFormat ?? environment["LOG_FORMAT"] ?? format.rawValue
    guard let format = LogLine.Format(rawValue: form) else {
      throw ValidationError("log format '\(form)' is neither 'text' nor 'json'")
    }
    // For code without a logger of its own. A process can bootstrap only once.
    LogOptions.bootstrap.withLock { isDone in
      if !isDone { LoggingSystem.bootstrap { _ in StderrLog(format: format, level: level) } }
      isDone = true
    }
    return Logger(label: "mqtt-fs-worker") { _ in StderrLog(format: format, level: level) }
  }
}

extension JobState: ExpressibleByArgument {}
extension JobStatus: ExpressibleByArgument {}

extension CompletionKind {
  /// The ids of jobs on the volume that the command line or the environment names.
  static var jobs: CompletionKind {
    .custom { words, _, prefix in
      let folder = value(of: ["-j", "--jobs-dir"], in: words) ?? Environment.current["MQTT_JOBS_DIR"] ?? "./jobs"
      let jobs = (try? JobRecords(JobsDirectory(FilePath(folder))).jobs()) ?? []
      return jobs.map(\.text).filter { $0.hasPrefix(prefix) }
    }
  }

  /// The shell passes words as typed, with quotes: a quoted folder name is not recognized.
  private static func value(of names: [String], in words: [String]) -> String? {
    for (word, next) in zip(words, words.dropFirst()) where names.contains(word) { return next }
    return words.compactMap { $0.hasPrefix("--jobs-dir=") ? String($0.dropFirst("--jobs-dir=".count)) : nil }.first
  }
}

/// The absolute path, without links as far as it exists.
func absolute(_ path: FilePath) -> FilePath {
  var existing = workingDirectory().pushing(path).lexicallyNormalized()
  var missing: [FilePath.Component] = []
  while true {
    if let resolved = realpath(existing.string, nil) {
      defer { free(resolved) }
      let found = FilePath(platformString: resolved)
      return missing.isEmpty ? found : found.appending(missing.reversed())
    }
    guard let last = existing.lastComponent else { return existing.appending(missing.reversed()) }
    missing.append(last)
    existing.removeLastComponent()
  }
}

/// The user and host of this process.
func userAtHost() -> String {
  let user = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "\(geteuid())"
  return "\(user)@\(hostName())"
}

func workingDirectory() -> FilePath {
  guard let path = getcwd(nil, 0) else { return "/" }
  defer { free(path) }
  return FilePath(platformString: path)
}
