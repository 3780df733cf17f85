import ArgumentParser
import Glibc
import Jobs
import Logging
import Synchronization

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
      throw ValidationError("log format '\(form)' is neither text nor json")
    }
    // For code without a logger of its own. A process can bootstrap only once.
    LogOptions.bootstrap.withLock { isDone in
      if !isDone { LoggingSystem.bootstrap { _ in StderrLog(format: format, level: level) } }
      isDone = true
    }
    return Logger(label: "mqtt-fs-worker") { _ in StderrLog(format: format, level: level) }
  }
}
