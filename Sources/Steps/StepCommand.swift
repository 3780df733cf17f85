import Glibc
import Jobs
package import SystemPackage

/// The command of one step, with its directory, environment and limits.
package struct StepCommand: Sendable {
  /// argv: the program, its options and operands. An argv[0] without "/" is looked up in the `PATH` of `environment`;
  /// one with "/" is used as it is, a relative one from `workingDirectory`.
  package var arguments: [String]
  /// A script of any length that is appended to `arguments`. See `init(shell:script:...)`.
  package var script: String?
  /// The step's working directory, which must exist.
  package var workingDirectory: FilePath
  /// The complete environment: nothing else is inherited.
  package var environment: [String: String]
  /// The time after which the step is ended, with `timedOut` in its outcome. nil: no limit.
  package var timeout: Duration?
  /// The time from SIGTERM to SIGKILL, for the step and for processes that it leaves behind.
  package var grace: Duration
  /// The latest start time: see ``SpawnError/isTooLate``. nil: none.
  package var startsBefore: ContinuousClock.Instant?

  /// Creates a command with all its arguments.
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

  /// Creates a command from a script: `shell` is the shell's argv up to the option that takes the script, such as
  /// `["bash", "-euo", "pipefail", "-c"]`.
  ///
  /// A script of 128 KiB or more cannot be an argument on Linux (MAX_ARG_STRLEN, execve(2)). The runner then runs it
  /// from a file: the last option loses its `c` or `e` (`-c`, `-ec`, `-e`) and the script's path takes its place, which
  /// sh, bash, zsh, python3, perl, ruby and node all accept. Only `$0` differs. The file is in the folder that
  /// `JOB_WORKSPACE` names, otherwise in the working directory, and is removed when the step has ended.
  package init(
    shell: [String], script: String, workingDirectory: FilePath, environment: [String: String],
    timeout: Duration? = nil, grace: Duration = .seconds(10)
  ) {
    self.init(
      arguments: shell, workingDirectory: workingDirectory, environment: environment, timeout: timeout, grace: grace)
    self.script = script
  }
}

/// A script that is too long for an argument, in a file of the job's workspace that is removed when the step has ended.
///
/// An unnamed memfd would leave the workspace untouched, but a step could reach it only through this process's
/// `/proc/<pid>/fd`, which is closed to all but root once the worker forbids inspection (PR_SET_DUMPABLE).
final class ScriptFile: Sendable {
  let path: String

  /// Throws the error of open(2) or write(2).
  init(_ script: String, in folder: FilePath) throws(Errno) {
    path = folder.appending(".script-\(UInt64.random(in: 0 ... .max))").string
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    defer { close(descriptor) }
    try FileDescriptor(rawValue: descriptor).store(script.utf8)
  }

  deinit { unlink(path) }

  /// The argv of a command, and the script's file, if it is too long for an argument; the file must live as long as the
  /// step.
  static func arguments(of command: StepCommand) throws(SpawnError) -> (arguments: [String], file: ScriptFile?) {
    guard let script = command.script else { return (command.arguments, nil) }
    guard script.utf8.count >= VariableLines.argumentLimit else { return (command.arguments + [script], nil) }
    do throws(Errno) {
      let workspace = command.environment[StepEnvironment.markerName].map { FilePath($0) }
      let file = try ScriptFile(script, in: workspace ?? command.workingDirectory)
      return (file.arguments(for: command.arguments), file)
    } catch {
      throw SpawnError(
        program: command.arguments.first ?? "",
        problem: "no room for its script of \(script.utf8.count) bytes in the workspace (\(error))",
        errno: error)
    }
  }

  /// The argv that runs the file as `shell` would have run the script: without the option that takes a script.
  func arguments(for shell: [String]) -> [String] {
    guard let option = shell.last, shell.count > 1 else { return shell + [path] }
    let kept = shell.dropLast()
    if ["-c", "-e", "--eval", "--command"].contains(option) { return kept + [path] }
    guard option.hasPrefix("-"), !option.hasPrefix("--"), option.hasSuffix("c") else { return shell + [path] }
    return kept + [String(option.dropLast()), path]
  }
}
