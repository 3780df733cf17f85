/// What became of one step: an element of result.json's `steps`.
package struct StepResult: Codable, Sendable, Equatable {
  /// The step's place in the job, from 0.
  package var index: Int
  /// What people call the step.
  package var name: String?
  /// The command as the job gave it.
  package var command: String
  /// How it ended.
  package var status: StepStatus
  /// The exit code; 128+n for a signal n, 124 for a timeout, `null` for a step that was never started.
  package var exitCode: Int?
  /// The signal that ended it, by name (`SIGKILL`).
  package var signal: String?
  /// Milliseconds on the monotonic clock.
  package var durationMs: Int
  /// The log's path, `null` for a step that has none.
  package var log: String?
  /// Bytes that the log holds.
  package var logBytes: Int
  /// Bytes of output that the log does not hold, because there were too many.
  package var logDropped: Int
  /// Why output was lost, when the volume refused it.
  package var logError: String?
  /// Whether a timeout ended the step.
  package var timedOut: Bool
  /// How many processes that the step left behind had to be ended.
  package var endedProcesses: Int
  /// Whether something of the step ignored TERM for the whole grace and was ended by KILL.
  package var killed: Bool

  /// A result of the given parts; what is left out says that nothing out of the ordinary happened.
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

  /// Writes an object; `exitCode` and `log` are there even when `null`, other keys only when they say something.
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
  }
}
