import Glibc
import Jobs
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
