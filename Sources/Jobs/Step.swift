/// A command of a job and the conditions under which it runs.
package struct Step: Sendable, Equatable {
  /// The default shell of a step: the command follows as one more argument.
  package static let defaultShell = ["/bin/sh", "-c"]

  /// The largest command: 1 MiB.
  static let longestCommand = 1 << 20

  /// The step's name.
  package var name: String?
  /// The command, passed to the shell unchanged. Never empty, and without NUL.
  package var run: String
  /// The program and its arguments before the command. Never empty.
  package var shell: [String]
  /// Variables that override the job's.
  package var environment: [String: String]
  /// The working directory, relative to the workspace; without `..` and not absolute. A link in it may still lead out,
  /// so the code that opens it must refuse that.
  package var workingDirectory: String?
  /// The time limit of the command.
  package var timeout: Duration?
  /// Whether the job continues if this step fails.
  package var continueOnError: Bool
  /// Whether the step runs even if another step failed.
  package var always: Bool
  /// How often the step is tried again when it failed or timed out; 0 to 10.
  package var retries = 0
  /// The pause before each of these tries; `nil` for none.
  package var retryDelay: Duration?

  /// A step with these values; the defaults are those of a step that is a string.
  package init(
    run: String, name: String? = nil, shell: [String] = Step.defaultShell, environment: [String: String] = [:],
    workingDirectory: String? = nil, timeout: Duration? = nil, continueOnError: Bool = false, always: Bool = false
  ) {
    self.name = name
    self.run = run
    self.shell = shell
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.timeout = timeout
    self.continueOnError = continueOnError
    self.always = always
  }
}

/// The result of a step: an element of `steps` in result.json.
package struct StepResult: Codable, Sendable, Equatable {
  /// The step's index, from 0.
  package var index: Int
  /// The step's name.
  package var name: String?
  /// The command, unchanged.
  package var command: String
  /// How it ended.
  package var status: StepStatus
  /// The exit code; 128+n for a signal n, 124 for a timeout, `null` for a step that never started.
  package var exitCode: Int?
  /// The signal that ended it, by name (`SIGKILL`).
  package var signal: String?
  /// Milliseconds on the monotonic clock; of all tries, with the pauses between them.
  package var durationMs: Int
  /// The log's path; `null` for a step without a log.
  package var log: String?
  /// The length of the log in bytes.
  package var logBytes: Int
  /// Bytes of output that were dropped because of the log's limit.
  package var logDropped: Int
  /// The volume's error, if output was lost by it.
  package var logError: String?
  /// Whether a timeout ended the step.
  package var timedOut: Bool
  /// The number of processes that the step left behind and the worker ended.
  package var endedProcesses: Int
  /// Whether a process of the step ignored TERM for the whole grace and was ended by KILL.
  package var killed: Bool
  /// How often the step was started; only of a step with retries.
  package var tries: Int?
  /// What the step used; `nil` if it never started.
  package var usage: Usage?

  /// A result with these values; the defaults stand for an ordinary run.
  package init(
    index: Int, command: String, status: StepStatus, exitCode: Int?, durationMs: Int, log: String?,
    name: String? = nil, signal: String? = nil, logBytes: Int = 0, logDropped: Int = 0, timedOut: Bool = false,
    endedProcesses: Int = 0, killed: Bool = false, logError: String? = nil
  ) {
    self.index = index
    self.name = name
    self.command = command
    self.status = status
    self.exitCode = exitCode
    self.signal = signal
    self.durationMs = durationMs
    self.log = log
    self.logBytes = logBytes
    self.logDropped = logDropped
    self.logError = logError
    self.timedOut = timedOut
    self.endedProcesses = endedProcesses
    self.killed = killed
  }

  /// Writes an object, with `exitCode` and `log` even if they are `null`, and with other keys only if they have a
  /// value.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(index, forKey: .index)
    try container.encodeIfPresent(name, forKey: .name)
    try container.encode(command, forKey: .command)
    try container.encode(status, forKey: .status)
    try container.encode(exitCode, forKey: .exitCode)
    try container.encodeIfPresent(signal, forKey: .signal)
    try container.encode(durationMs, forKey: .durationMs)
    try container.encode(log, forKey: .log)
    try container.encode(logBytes, forKey: .logBytes)
    try container.encode(logDropped, forKey: .logDropped)
    try container.encodeIfPresent(logError, forKey: .logError)
    try container.encode(timedOut, forKey: .timedOut)
    try container.encode(endedProcesses, forKey: .endedProcesses)
    try container.encode(killed, forKey: .killed)
    try container.encodeIfPresent(tries, forKey: .tries)
    try container.encodeIfPresent(usage, forKey: .usage)
  }
}

/// The line in a log that replaces the output above the log's limit.
///
/// Such a log holds the first half of its limit, this line, and the newest output in the other half.
package struct DroppedOutput: Sendable, Equatable {
  /// The line's length in bytes, enough for the largest numbers.
  package static let length: Int64 = 128
  private static let words = ("\n[", " bytes of output were dropped here: the log's limit is ", " bytes]")

  /// The number of dropped bytes.
  package let count: Int64
  /// The limit of the log.
  package let limit: Int64

  /// A line for `count` dropped bytes.
  package init(count: Int64, limit: Int64) {
    self.count = count
    self.limit = limit
  }

  /// The line's offset in a log with this limit: behind the first half.
  package static func offset(limit: Int64) -> Int64 { limit / 2 }

  /// Reads the line at its offset in a log of `size` bytes; `nil` if something else is there.
  package init?(_ bytes: [UInt8], inLogOf size: Int64) {
    let (start, middle, end) = DroppedOutput.words
    guard bytes.count == DroppedOutput.length, let text = String(validating: bytes, as: UTF8.self),
      text.hasPrefix(start), let between = text.firstRange(of: middle), let last = text.firstRange(of: end),
      between.upperBound <= last.lowerBound,
      let count = Int64(text[text.index(text.startIndex, offsetBy: start.count)..<between.lowerBound]),
      let limit = Int64(text[between.upperBound..<last.lowerBound]), limit == size - DroppedOutput.length, count > 0
    else { return nil }
    self.init(count: count, limit: limit)
  }

  /// The line: ``length`` bytes, filled up with spaces.
  package var line: [UInt8] {
    let (start, middle, end) = DroppedOutput.words
    let text = "\(start)\(count)\(middle)\(limit)\(end)"
    return Array((text + String(repeating: " ", count: max(0, Int(Self.length) - 1 - text.utf8.count)) + "\n").utf8)
  }

  /// The offset at which a reader continues that has read `position` bytes of the output while the log grew: behind
  /// what it has read, if the log still holds that; otherwise at this line.
  ///
  /// A step can write such a line itself, with any numbers. The arithmetic must not overflow.
  package func resume(after position: Int64) -> Int64 {
    let head = DroppedOutput.offset(limit: limit)
    if position <= head { return position }
    let behindHead = position - head
    return behindHead < count ? head : head + DroppedOutput.length + (behindHead - count)
  }
}
