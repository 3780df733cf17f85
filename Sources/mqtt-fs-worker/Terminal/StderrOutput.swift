import Dispatch
import FoundationEssentials
import Glibc
import Jobs
import Logging
import Synchronization

/// Non-blocking output to stderr: a worker must not wait for a reader, and a pipe without one is full after 64 KiB.
///
/// The caller writes as much as fits. The rest is kept up to a limit, and a thread writes it when there is room again.
/// Further lines are dropped and counted, and a line reports their number later.
final class StderrOutput: Sendable {
  static let shared = StderrOutput(STDERR_FILENO)
  /// The limit for kept bytes.
  private static let most = 64 << 10

  private struct State {
    var kept: [UInt8] = []
    var dropped = 0
    var isDraining = false
    /// Makes the line about dropped lines, in the format of the log.
    var dropNotice: @Sendable (Int) -> [UInt8] = { Array("\($0) lines were dropped: no process read stderr\n".utf8) }
  }

  private enum Way {
    /// A regular file: it never blocks.
    case plain
    /// A non-blocking open file description of this process alone (fifo(7)); for other processes the pipe still blocks.
    case nonBlocking
    case socket
    /// Asks poll(2) for room before each write; another process may take the room in between.
    case polled
  }

  private let state = Mutex(State())
  private let descriptor: Int32
  private let way: Way

  init(_ descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT != S_IFREG else {
      (self.descriptor, way) = (descriptor, .plain)
      return
    }
    if status.st_mode & S_IFMT == S_IFSOCK {
      (self.descriptor, way) = (descriptor, .socket)
      return
    }
    let own = open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    (self.descriptor, way) = own < 0 ? (descriptor, .polled) : (own, .nonBlocking)
  }

  /// Writes a line, keeps it, or drops it. `dropNotice` makes the line about dropped lines.
  func put(_ line: [UInt8], dropNotice: (@Sendable (Int) -> [UInt8])? = nil) {
    state.withLock { state in
      if let dropNotice { state.dropNotice = dropNotice }
      guard state.kept.isEmpty else { return keep(line[...], whole: true, &state) }
      let written = write(line[...])
      if written < line.count { keep(line[written...], whole: written == 0, &state) }
    }
  }

  /// Waits until all kept bytes are written, but no longer than `limit`.
  func flush(within limit: Duration) {
    let deadline = ContinuousClock.now + limit
    while state.withLock({ !$0.kept.isEmpty }), ContinuousClock.now < deadline { usleep(2000) }
  }

  private func keep(_ bytes: ArraySlice<UInt8>, whole: Bool, _ state: inout State) {
    // Never drop the rest of a line that was partly written.
    if whole, state.kept.count + bytes.count > StderrOutput.most {
      state.dropped += 1
    } else {
      state.kept += bytes
    }
    guard !state.isDraining else { return }
    state.isDraining = true
    DispatchQueue(label: "stderr").async { self.drain() }
  }

  private func drain() {
    while true {
      var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      poll(&entry, 1, -1)
      let isDone = state.withLock { state in
        // The reader has left: drop everything.
        if entry.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { (state.kept, state.dropped) = ([], 0) }
        state.kept.removeFirst(write(state.kept[...]))
        if state.kept.isEmpty, state.dropped > 0 {
          state.kept = state.dropNotice(state.dropped)
          state.dropped = 0
          state.kept.removeFirst(write(state.kept[...]))
        }
        if state.kept.isEmpty { state.isDraining = false }
        return state.kept.isEmpty
      }
      if isDone { return }
    }
  }

  /// Writes as much as fits, and returns its length; after a fatal error all bytes count as written.
  private func write(_ bytes: ArraySlice<UInt8>) -> Int {
    var done = 0
    while done < bytes.count {
      let count = bytes.dropFirst(done).withUnsafeBytes { rest in
        switch way {
        case .plain, .nonBlocking: return Glibc.write(descriptor, rest.baseAddress, rest.count)
        case .socket:
          return send(descriptor, rest.baseAddress, rest.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        case .polled:
          var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          guard poll(&entry, 1, 0) > 0 else {
            errno = EAGAIN
            return -1
          }
          return Glibc.write(descriptor, rest.baseAddress, min(rest.count, Int(PIPE_BUF)))
        }
      }
      if count >= 0 {
        done += count
      } else if errno == EAGAIN || errno == EWOULDBLOCK {
        return done
      } else if errno != EINTR {
        return bytes.count
      }
    }
    return done
  }
}

/// Writes each event as one line to stderr, with one write(2) if there is room, so that lines of several processes do
/// not mix. Never waits for a reader: see ``StderrOutput``.
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
    let fields = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues(\.description)
    let line = { @Sendable [format] (level: Logger.Level, message: String) in
      let line = LogLine(
        time: Timestamp.now.description, level: level.rawValue, message: message, fields: fields)
      return "\(line.text(format))\n"
    }
    let text = ProgressLine.erasure + line(event.level, event.message.description)
    StderrOutput.shared.put(Array(text.utf8)) { dropped in
      let lines = "\(counted(dropped, "line")) of this log \(dropped == 1 ? "was" : "were")"
      return Array(line(.warning, "\(lines) dropped: no process read stderr").utf8)
    }
  }
}

/// A line of the log.
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
      // Escape foreign text: it must not forge a line or send control sequences to the terminal.
      return "\(time) \(level) \(message.onOneLine)\(pairs.onOneLine)"
    case .json:
      let own = ["time": time, "level": level, "message": message]
      let bytes = (try? compactJSON(fields.merging(own) { $1 })) ?? []
      return String(decoding: bytes, as: UTF8.self).escapedInJSON
    }
  }
}

/// Writes one escaped line to stderr, outside of the log.
func complain(_ text: String) {
  StderrOutput.shared.put(Array("\(text.onOneLine)\n".utf8))
}
