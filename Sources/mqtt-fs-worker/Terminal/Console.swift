import Client
import FileTree
import Glibc
import Jobs
import Synchronization
import Volume
import Worker

/// The messages of a command to a person, on stderr; stdout is for data.
struct Console: Sendable {
  /// Whether stderr is a terminal, so that a person can follow the progress.
  let isTerminal = isatty(STDERR_FILENO) == 1
  /// The command's name.
  let command: String

  init(_ command: String) {
    self.command = command
  }

  /// Whether a person can answer a question.
  var canAsk: Bool { isTerminal && isatty(STDIN_FILENO) == 1 }

  /// Writes a line always. Foreign text in it is escaped: it cannot send control sequences or forge a line.
  func say(_ text: String) {
    writeToStderr("\(ProgressLine.erasure)\(command): \(text.onOneLine)\n")
  }

  /// Writes a line only on a terminal.
  func show(_ text: @autoclosure () -> String) {
    if isTerminal { say(text()) }
  }

  /// Begins a new line after the `^C` of a terminal.
  func endLine() {
    if isTerminal { writeToStderr("\(ProgressLine.erasure)\n") }
  }

  /// Asks a question and waits for a line; `nil` at the end of the input. Reads on a thread of its own.
  func ask(_ question: String) async -> String? {
    writeToStderr("\(command): \(question.onOneLine) ")
    return try? await onThread { line() }
  }

  /// Asks a question that ends with `[y/N]`; any other answer than yes is no.
  func confirms(_ question: String) async -> Bool {
    await ask(question)?.lowercased().hasPrefix("y") == true
  }

  /// Reads a line of stdin. Not by stdio: its lock would be held during the wait, so the program could not exit.
  private func line() -> String? {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while read(STDIN_FILENO, &byte, 1) == 1 {
      if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(byte)
    }
    return nil
  }
}

extension Console {
  /// Warns of entries that are not copied.
  func tell(ofSkipped entries: [SkippedEntry]) {
    for entry in entries { say("warning: \(entry.path) is left out: \(entry.reason.rawValue)") }
  }
}

extension JobCheck {
  /// Tells the warnings, and returns the job. If there is none, tells the errors, and throws ``ExitStatus/badPayload``.
  func job(telling console: Console) throws -> (id: JobID, definition: JobDefinition) {
    for warning in warnings { console.say("warning: \(warning)") }
    if let job { return job }
    for error in errors { console.say(error) }
    throw ExitStatus.badPayload
  }
}

/// The progress of a copy on the terminal, in a line that is overwritten.
///
/// Each log line erases it first; it comes again with the next report.
enum ProgressLine {
  private static let isShown = Atomic<Bool>(false)
  private static let erase = "\r\u{1B}[K"

  /// Whether stderr is a terminal.
  static var isWanted: Bool { isatty(STDERR_FILENO) == 1 }

  /// Shows a line.
  static func show(_ text: String) {
    isShown.store(true, ordering: .relaxed)
    writeToStderr(erase + text)
  }

  /// Erases the line.
  static func clear() { writeToStderr(erasure) }

  /// The prefix of a log line, so that it does not mix with this line.
  static var erasure: String {
    isShown.exchange(false, ordering: .relaxed) ? erase : ""
  }

  /// `staging job_1: 12 of 40 files, 1.2 GiB of 3.4 GiB, 310.5 MiB/s`
  static func text(_ doing: String, _ progress: CopyProgress, _ total: CopyTotal? = nil) -> String {
    let seconds = progress.elapsed / .seconds(1)
    let rate = Int64(exactly: (Double(progress.bytes) / max(seconds, 0.001)).rounded(.down)) ?? .max
    return "\(doing): \(text(files: progress.files, progress.bytes, total)), \(bytesText(rate))/s"
  }

  /// `12 of 40 files, 1.2 GiB of 3.4 GiB`
  static func text(files: Int, _ bytes: Int64, _ total: CopyTotal?) -> String {
    let all = total.map { "\(files) of \(counted($0.files, "file"))" } ?? counted(files, "file")
    return "\(all), \(bytesText(bytes))" + (total?.bytes.map { " of \(bytesText($0))" } ?? "")
  }
}

private func writeToStderr(_ text: String) {
  let bytes = Array(text.utf8)
  if !bytes.isEmpty { _ = write(STDERR_FILENO, bytes, bytes.count) }
}
