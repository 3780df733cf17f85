import FileTree
import Glibc
import JobWorker
import SystemPackage

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

  /// A line that matters whoever reads it.
  func say(_ text: String) {
    write("\(command): \(text)\n")
  }

  /// A line for those who watch.
  func show(_ text: @autoclosure () -> String) {
    if isTerminal { say(text()) }
  }

  /// How far a copy is, in one line that is written over; nothing in the first second.
  func show(_ progress: CopyProgress, _ doing: String) {
    guard isTerminal, progress.elapsed > .seconds(1) else { return }
    let rate = Double(progress.bytes) / max(progress.elapsed / .seconds(1), 0.001)
    write("\r\(command): \(doing): \(progress.files) files, \(size(progress.bytes)), \(size(Int64(rate)))/s\u{1B}[K")
  }

  /// Ends such a line.
  func clearProgress() {
    if isTerminal { write("\r\u{1B}[K") }
  }

  /// Asks a question and waits for a line; `nil` at the end of the input. The answer is read on a thread of its own.
  func ask(_ question: String) async -> String? {
    write("\(command): \(question) ")
    return try? await onThread { readLine() }
  }

  private func write(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
  }
}

/// Writes data to a descriptor, whole, on a thread of its own: whoever reads may be slow. Throws `Errno`.
func put(_ bytes: [UInt8], on descriptor: FileDescriptor) async throws {
  try await onThread { _ = try descriptor.writeAll(bytes) }
}

/// Writes a line to stdout.
func put(line: String) async throws {
  try await put(Array("\(line)\n".utf8), on: .standardOutput)
}

/// Bytes as people write them.
func size(_ bytes: Int64) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB"]
  var value = Double(bytes)
  var unit = 0
  while value >= 1024, unit < units.count - 1 {
    value /= 1024
    unit += 1
  }
  let tenths = Int((value * 10).rounded())
  return unit == 0 || tenths >= 1000 ? "\(tenths / 10) \(units[unit])" : "\(tenths / 10).\(tenths % 10) \(units[unit])"
}

/// A length of time as people write it.
func duration(_ milliseconds: Int) -> String {
  if milliseconds < 1000 { return "\(milliseconds) ms" }
  if milliseconds < 60_000 { return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s" }
  return Duration.seconds(milliseconds / 1000).jobText
}
