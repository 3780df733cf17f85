/// One command of a job and the conditions under which it runs.
public struct Step: Sendable, Equatable {
  /// The shell of a step that names none: the command follows as one more argument.
  public static let defaultShell = ["/bin/sh", "-c"]

  /// The largest command: 1 MiB.
  public static let longestCommand = 1 << 20

  /// What people call the step.
  public var name: String?
  /// The command, handed to the shell as it is. Never empty, never with a NUL.
  public var run: String
  /// The program and its arguments before the command. Never empty.
  public var shell: [String]
  /// Variables laid over the job's.
  public var environment: [String: String]
  /// Where the command runs, relative to the workspace; without `..` and not absolute, but a link on the way may
  /// still lead out, which whoever opens it has to refuse.
  public var workingDirectory: String?
  /// How long the command may take.
  public var timeout: Duration?
  /// Whether the job goes on after this step failed.
  public var continueOnError: Bool
  /// Whether the step runs even after another failed.
  public var always: Bool

  /// A step of the given parts; what is left out is as a step that is a bare string.
  public init(
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
