import Glibc
import Jobs
import SystemPackage
import Volume

/// A command's data, on stdout; what it has to say is for ``Console``.
///
/// It is written whole and without a buffer, so that a full disk or a reader who has left is known when it happens, and never
/// ends as success. Every command writes here, and nowhere else.
enum Output {
  /// Writes bytes as they are. Throws ``OutputFailure``, or ``ExitStatus/nobodyReads``.
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

  /// Writes text that is a line's, or several.
  static func write(_ text: String) throws {
    try write(Array(text.utf8))
  }

  /// Writes JSON. What a terminal would not show but obey is escaped, which changes no value (RFC 8259, section 7).
  static func write(json text: String) throws {
    try write(text.escapedInJSON)
  }

  /// Writes bytes on a thread of its own: whoever reads may be slow.
  static func put(_ bytes: [UInt8], to stream: Stream = .standardOutput) async throws {
    try await onThread { try write(bytes, to: stream) }
  }

  /// Writes JSON as ``put(_:to:)`` writes bytes, with a line end.
  static func put(json text: String) async throws {
    try await put(Array("\(text.escapedInJSON)\n".utf8))
  }

  /// Throws ``ExitStatus/nobodyReads`` when stdout is a pipe whose reader has left: who waits for more to write would not
  /// learn of it before there is more.
  static func checkReader() throws {
    var entry = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
    // pipe(7), poll(2): the writing end of a pipe that nobody has open for reading is in error.
    if poll(&entry, 1, 0) > 0, entry.revents & Int16(POLLERR) != 0 { throw ExitStatus.nobodyReads }
  }

  /// Where to.
  enum Stream: Int32 {
    case standardOutput = 1
    case standardError = 2

    /// Returns when it can be tried again.
    fileprivate func recover(from cause: Errno) throws {
      switch cause {
      case .interrupted: return
      case .brokenPipe: throw ExitStatus.nobodyReads
      case .wouldBlock:
        // Whoever shares the pipe or terminal has made it non-blocking.
        var entry = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
        poll(&entry, 1, -1)
      default: throw OutputFailure(stream: self, cause: cause)
      }
    }
  }
}

/// A command's data cannot be written where they belong.
struct OutputFailure: Error, CustomStringConvertible {
  let stream: Output.Stream
  let cause: Errno

  var description: String {
    "cannot write to standard \(stream == .standardOutput ? "output" : "error"): \(cause)"
  }
}
