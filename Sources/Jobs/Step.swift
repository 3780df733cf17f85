/// One command of a job and the conditions under which it runs.
package struct Step: Sendable, Equatable {
  /// The shell of a step that names none: the command follows as one more argument.
  package static let defaultShell = ["/bin/sh", "-c"]

  /// The largest command: 1 MiB.
  package static let longestCommand = 1 << 20

  /// What people call the step.
  package var name: String?
  /// The command, handed to the shell as it is. Never empty, never with a NUL.
  package var run: String
  /// The program and its arguments before the command. Never empty.
  package var shell: [String]
  /// Variables laid over the job's.
  package var environment: [String: String]
  /// Where the command runs, relative to the workspace; without `..` and not absolute, but a link on the way may
  /// still lead out, which whoever opens it has to refuse.
  package var workingDirectory: String?
  /// How long the command may take.
  package var timeout: Duration?
  /// Whether the job goes on after this step failed.
  package var continueOnError: Bool
  /// Whether the step runs even after another failed.
  package var always: Bool

  /// A step of the given parts; what is left out is as a step that is a bare string.
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
