import ArgumentParser
import Glibc
import JobWorker
import Logging

/// What is said on stderr, and how.
struct LogOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "trace, debug, info, notice, warning, error or critical. (LOG_LEVEL; default: info)", valueName: "level"))
  var logLevel: String?

  @Option(
    help: ArgumentHelp(
      "text or json. (LOG_FORMAT; default: text on a terminal, else json)", valueName: "format"))
  var logFormat: String?
}

extension LogOptions {
  /// A logger with the worker's id in every line.
  func logger(_ environment: Environment, worker: WorkerID) throws -> Logger {
    let name = logLevel ?? environment["LOG_LEVEL"] ?? "info"
    guard let level = Logger.Level(rawValue: name.lowercased() == "warn" ? "warning" : name.lowercased()) else {
      throw ValidationError(
        "log level '\(name)' is none of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let format = logFormat ?? environment["LOG_FORMAT"] ?? (isatty(STDERR_FILENO) == 1 ? "text" : "json")
    guard let format = LogLine.Format(rawValue: format) else {
      throw ValidationError("log format '\(format)' is neither text nor json")
    }
    var logger = Logger(label: "mqtt-fs-worker") { _ in StderrLog(format: format, level: level) }
    logger[metadataKey: "worker"] = "\(worker)"
    return logger
  }
}
