import FoundationEssentials
import Jobs
import Logging

/// Writes each event as one line on stderr, in one write(2) where there is room, so that lines of several processes do not mix. Never waits
/// for a reader: see ``StderrOutput``.
struct StderrLog: LogHandler {
  let format: LogLine.Format
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]

  init(format: LogLine.Format, level: Logger.Level) {
    self.format = format
    logLevel = level
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    let line = LogLine(
      time: Timestamp.now.description, level: event.level.rawValue, message: event.message.description,
      fields: all.mapValues(\.description))
    StderrOutput.shared.put(Array("\(ProgressLine.erasure)\(line.text(format))\n".utf8)) { [format] dropped in
      let line = LogLine(
        time: Timestamp.now.description, level: Logger.Level.warning.rawValue,
        message:
          "\(dropped) line\(dropped == 1 ? " of this log was" : "s of this log were") dropped: nobody read stderr",
        fields: all.mapValues(\.description))
      return Array("\(line.text(format))\n".utf8)
    }
  }
}

/// One line of the log.
struct LogLine {
  enum Format: String {
    case text, json
  }

  let time: String
  let level: String
  let message: String
  let fields: [String: String]

  func text(_ format: Format) -> String {
    switch format {
    case .text:
      let pairs = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
      // What came from outside must not forge a line of its own, or write to the terminal what it likes.
      return "\(time) \(level) \(message.onOneLine)\(pairs.onOneLine)"
    case .json:
      let own = ["time": time, "level": level, "message": message]
      let bytes = (try? compactJSON(fields.merging(own) { $1 })) ?? []
      return String(decoding: bytes, as: UTF8.self).escapedInJSON
    }
  }
}
