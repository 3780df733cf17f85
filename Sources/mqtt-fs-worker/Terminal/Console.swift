import FileTree
import Glibc
import Jobs
import Synchronization
import Volume

/// What a command shows to a person, on stderr; stdout is for data.
struct Console: Sendable {
  /// Whether a person is there to see how things go, and to be asked.
  let isTerminal = isatty(STDERR_FILENO) == 1
  private let command: String

  init(_ command: String) {
    self.command = command
  }

  /// Whether somebody can answer a question.
  var canAsk: Bool { isTerminal && isatty(STDIN_FILENO) == 1 }

  /// A line that matters whoever reads it. What is foreign in it cannot write to the terminal what it likes, or forge a line.
  func say(_ text: String) {
    write("\(command): \(text.onOneLine)\n")
  }

  /// A line for those who watch.
  func show(_ text: @autoclosure () -> String) {
    if isTerminal { say(text()) }
  }

  /// Asks a question and waits for a line; `nil` at the end of the input. The answer is read on a thread of its own.
  func ask(_ question: String) async -> String? {
    write("\(command): \(question.onOneLine) ")
    return try? await onThread { line() }
  }

  /// A line of stdin. Not through stdio, whose lock would be held by the wait: the program could not end meanwhile.
  private func line() -> String? {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while read(STDIN_FILENO, &byte, 1) == 1 {
      if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(byte)
    }
    return nil
  }

  private func write(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
  }
}

/// A line on the terminal that tells how far a copy is, in the place of the one before it.
///
/// Each line of the log erases it first: it comes again with the next report.
enum ProgressLine {
  private static let isShown = Atomic<Bool>(false)
  private static let erase = "\r\u{1B}[K"

  /// Whether there is somebody to look at it.
  static var isWanted: Bool { isatty(STDERR_FILENO) == 1 }

  /// Shows a line.
  static func show(_ text: String) {
    isShown.store(true, ordering: .relaxed)
    put(erase + text)
  }

  /// Takes the line away.
  static func clear() { put(erasure) }

  /// What a line of the log has to begin with, so that it does not mix with this one.
  static var erasure: String {
    isShown.exchange(false, ordering: .relaxed) ? erase : ""
  }

  /// `staging job_1: 12345 files, 1.2 GiB, 310.5 MiB/s`
  static func text(_ doing: String, _ progress: CopyProgress) -> String {
    let seconds = progress.elapsed / .seconds(1)
    let rate = Int64(exactly: (Double(progress.bytes) / max(seconds, 0.001)).rounded(.down)) ?? .max
    let files = "\(progress.files) file\(progress.files == 1 ? "" : "s")"
    return "\(doing): \(files), \(bytesText(progress.bytes)), \(bytesText(rate))/s"
  }

  private static func put(_ text: String) {
    let bytes = Array(text.utf8)
    if !bytes.isEmpty { _ = write(STDERR_FILENO, bytes, bytes.count) }
  }
}
