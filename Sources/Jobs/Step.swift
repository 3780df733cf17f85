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
