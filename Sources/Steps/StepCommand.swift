package import SystemPackage

/// What to run for one step, where, with which environment and for how long.
package struct StepCommand: Sendable {
  /// argv: the program, its options, and what they act on. An argv[0] without "/" is looked up in the `PATH` of
  /// `environment`; one with "/" is taken as it is, a relative one from `workingDirectory`.
  package var arguments: [String]
  /// A script that goes behind `arguments` as one more, whatever its length. See `init(shell:script:...)`.
  package var script: String?
  /// Where the step starts. It must exist.
  package var workingDirectory: FilePath
  /// The whole environment: nothing is inherited beyond it.
  package var environment: [String: String]
  /// After this much time the step is ended and its outcome says `timedOut`. nil: no limit.
  package var timeout: Duration?
  /// From SIGTERM to SIGKILL, both for the step and for what it leaves behind.
  package var grace: Duration
  /// When it is too late to start it: see ``SpawnError/isTooLate``. nil: never.
  package var startsBefore: ContinuousClock.Instant?

  /// A command whose arguments are all given.
  package init(
    arguments: [String], workingDirectory: FilePath, environment: [String: String], timeout: Duration? = nil,
    grace: Duration = .seconds(10)
  ) {
    self.arguments = arguments
    self.workingDirectory = workingDirectory
    self.environment = environment
    self.timeout = timeout
    self.grace = grace
  }

  /// A script for a shell: `shell` is its argv up to and with the option that takes the script, such as
  /// `["bash", "-euo", "pipefail", "-c"]`.
  ///
  /// A script of 128 KiB or more cannot be an argument on Linux (MAX_ARG_STRLEN, execve(2)). The runner then runs it
  /// from a file: the last option loses its `c` or `e` (`-c`, `-ec`, `-e`) and the script's path takes its place, which
  /// sh, bash, zsh, python3, perl, ruby and node all understand. Only `$0` differs. The file lies in the folder that
  /// `JOB_WORKSPACE` names, else in the working directory, and is removed when the step has ended.
  package init(
    shell: [String], script: String, workingDirectory: FilePath, environment: [String: String],
    timeout: Duration? = nil, grace: Duration = .seconds(10)
  ) {
    self.init(
      arguments: shell, workingDirectory: workingDirectory, environment: environment, timeout: timeout, grace: grace)
    self.script = script
  }
}
