import Glibc
import Jobs
import SystemPackage
import Volume

/// A command's data, on stdout; messages go to ``Console``.
///
/// It is written completely and without a buffer, so that a full disk or a reader that has left is detected at once,
/// and never ends as success. All commands write only here.
enum Output {
  /// Writes bytes as they are. Throws ``OutputFailure``, or ``ExitStatus/brokenPipe``.
  static func write(_ bytes: [UInt8], to stream: Stream = .standardOutput) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(stream.rawValue, $0.baseAddress, $0.count) }
      if count >= 0 {
        rest = rest.dropFirst(count)
      } else {
        try stream.recover(from: Errno(rawValue: errno))
      }
    }
  }

  /// Writes text.
  static func write(_ text: String) throws {
    try write(Array(text.utf8))
  }

  /// Writes JSON with unprintable characters escaped for terminals, which changes no value (RFC 8259, section 7).
  static func write(json text: String) throws {
    try write(text.escapedInJSON)
  }

  /// Writes bytes on a thread of its own: the reader may be slow.
  static func put(_ bytes: [UInt8], to stream: Stream = .standardOutput) async throws {
    try await onThread { try write(bytes, to: stream) }
  }

  /// Writes JSON as ``put(_:to:)`` writes bytes, with a line end.
  static func put(json text: String) async throws {
    try await put(Array("\(text.escapedInJSON)\n".utf8))
  }

  /// Throws ``ExitStatus/brokenPipe`` if stdout is a pipe whose reader has left. Otherwise a waiting command would
  /// notice it only at the next write.
  static func checkReader() throws {
    var entry = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
    // poll(2) reports POLLERR for the writing end of a pipe without readers.
    if poll(&entry, 1, 0) > 0, entry.revents & Int16(POLLERR) != 0 { throw ExitStatus.brokenPipe }
  }

  /// The stream.
  enum Stream: Int32 {
    case standardOutput = 1
    case standardError = 2

    /// Returns when the write can be retried.
    fileprivate func recover(from cause: Errno) throws {
      switch cause {
      case .interrupted: return
      case .brokenPipe: throw ExitStatus.brokenPipe
      case .wouldBlock:
        // Another process has made the shared pipe or terminal non-blocking.
        var entry = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
        poll(&entry, 1, -1)
      default: throw OutputFailure(stream: self, cause: cause)
      }
    }
  }
}

/// A command's data cannot be written.
struct OutputFailure: Error, CustomStringConvertible {
  let stream: Output.Stream
  let cause: Errno

  var description: String {
    "cannot write to standard \(stream == .standardOutput ? "output" : "error"): \(cause)"
  }
}

/// Bytes for people, as in `1.5 MiB`.
func bytesText(_ bytes: Int64) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
  var value = Double(bytes)
  var unit = 0
  while value >= 1024, unit < units.count - 1 {
    value /= 1024
    unit += 1
  }
  guard unit > 0 else { return "\(bytes) B" }
  // 2^63 bytes are 8192 PiB.
  let tenths = Int(value * 10)
  return "\(tenths / 10).\(tenths % 10) \(units[unit])"
}

/// A duration for people, as in `120 ms`, `2.5 s`, `1h30m`.
func durationText(milliseconds: Int) -> String {
  if milliseconds < 1000 { return "\(milliseconds) ms" }
  if milliseconds < 60_000 { return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s" }
  return Duration.seconds(milliseconds / 1000).jobText
}

/// What a job used, for people, as in `cpu 1.2 s, memory 34.0 MiB`.
func usageText(_ usage: Usage) -> String {
  "cpu \(durationText(milliseconds: usage.cpuMs)), memory \(bytesText(Int64(usage.maxRssBytes)))"
}

extension Duration {
  /// The largest unit that fits, as in `42s`, `7m`, `3h`, `2d`.
  var shortText: String {
    let seconds = max(0, components.seconds)
    switch seconds {
    case ..<60: return "\(seconds)s"
    case ..<3600: return "\(seconds / 60)m"
    case ..<86400: return "\(seconds / 3600)h"
    default: return "\(seconds / 86400)d"
    }
  }
}

/// `1 file`, `2 files`.
func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

extension String {
  /// Padded with spaces to `width` characters.
  func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}

/// A value as indented JSON, keys sorted, with a newline at the end.
func jsonText(_ value: some Encodable) throws -> String {
  String(decoding: try indentedJSON(value), as: UTF8.self)
}
