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
  /// MAX_ARG_STRLEN of Linux: 32 pages of 4 KiB, with the terminating NUL.
  static let argumentLimit = 131_072

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
    guard script.utf8.count >= argumentLimit else { return (command.arguments + [script], nil) }
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

/// The environment of steps: the worker's own, without variables that a job must not see, plus documented ones.
package struct StepEnvironment: Sendable {
  /// The variable that identifies processes of a job wherever they are: its value is unique to the job.
  package static let markerName = "JOB_WORKSPACE"

  /// The variables that steps inherit from the worker.
  package let inherited: [String: String]

  /// Takes `inherited` without `MQTT_*`, the names in `hiding`, and invalid names (POSIX: a name does not begin with a
  /// digit).
  package init(inherited: [String: String] = StepEnvironment.inherited(), hiding: Set<String> = []) {
    self.inherited = inherited.filter { name, _ in
      guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
      return !name.hasPrefix("MQTT_") && !hiding.contains(name)
    }
  }

  /// This process's current environment. Bytes that are not UTF-8 are repaired; see ``entry(_:_:)``.
  package static func inherited() -> [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let sign = text.firstIndex(of: "=") {
        variables[String(text[..<sign])] = String(text[text.index(after: sign)...])
      }
      next += 1
    }
    return variables
  }

  /// `name=value` in memory that the caller frees. A value that was inherited has its own bytes again, even those that are
  /// not UTF-8.
  static func entry(_ name: String, _ value: String) -> UnsafeMutablePointer<CChar>? {
    guard value.unicodeScalars.contains("\u{FFFD}"), let own = getenv(name), String(cString: own) == value else {
      return strdup("\(name)=\(value)")
    }
    return strdup(Array("\(name)=".utf8CString.dropLast()) + UnsafeBufferPointer(start: own, count: strlen(own) + 1))
  }

  /// The facts about a job that its steps may rely on. A job cannot set these names itself: controllers read them in
  /// logs, and the worker recognises the job's processes by one of them.
  package struct Facts: Sendable {
    /// `JOB_ID`.
    package var jobID: String
    /// `JOB_ATTEMPT`, from 1.
    package var attempt: Int
    /// `JOB_WORKSPACE`, absolute.
    package var workspace: FilePath
    /// `JOB_RESULTS_DIR`, absolute.
    package var results: FilePath
    /// `WORKER_ID`.
    package var workerID: String
    /// `JOB_STATUS`: what the job's status would be if it ended now.
    package var status: String
    /// `STEP_<index>_STATUS` of each step before.
    package var earlier: [String]

    /// Creates the facts, each as the value of its variable.
    package init(
      jobID: String, attempt: Int, workspace: FilePath, results: FilePath, workerID: String, status: String = "success",
      earlier: [String] = []
    ) {
      self.jobID = jobID
      self.attempt = attempt
      self.workspace = workspace
      self.results = results
      self.workerID = workerID
      self.status = status
      self.earlier = earlier
    }
  }

  /// The places outside of the workspace that a step may write to.
  package struct Places: Sendable {
    /// `TMPDIR`, unless the job sets it.
    package var temporary: FilePath
    /// `JOB_ENV`: variables for later steps.
    package var environment: FilePath
    /// `JOB_OUTPUT`: the job's outputs.
    package var output: FilePath

    package init(temporary: FilePath, environment: FilePath, output: FilePath) {
      self.temporary = temporary
      self.environment = environment
      self.output = output
    }
  }

  /// The complete environment of one step; later sources win: worker, `CI=true`, `TMPDIR`, job, variables that earlier
  /// steps handed on, step, facts.
  package func variables(
    _ facts: Facts, stepIndex: Int, job: [String: String], handedOn: [String: String] = [:], step: [String: String],
    places: Places? = nil
  ) -> [String: String] {
    var variables = inherited
    variables["CI"] = "true"
    if let places { variables["TMPDIR"] = places.temporary.string }
    variables.merge(job) { _, new in new }
    variables.merge(handedOn) { _, new in new }
    variables.merge(step) { _, new in new }
    variables["JOB_ID"] = facts.jobID
    variables["JOB_ATTEMPT"] = String(facts.attempt)
    variables[Self.markerName] = facts.workspace.string
    variables["JOB_RESULTS_DIR"] = facts.results.string
    variables["STEP_INDEX"] = String(stepIndex)
    variables["WORKER_ID"] = facts.workerID
    variables["JOB_STATUS"] = facts.status
    for (index, status) in facts.earlier.enumerated() { variables["STEP_\(index)_STATUS"] = status }
    if let places {
      variables["JOB_ENV"] = places.environment.string
      variables["JOB_OUTPUT"] = places.output.string
    }
    return variables
  }

  /// Whether only the worker gives the variable `name` to steps: no step can hand it on.
  package static func isOwn(_ name: String) -> Bool {
    name.hasPrefix("JOB_") || name.hasPrefix("MQTT_") || ["STEP_INDEX", "WORKER_ID"].contains(name)
      || name.hasPrefix("STEP_") && name.hasSuffix("_STATUS")
  }
}

/// Decides which environment variables hold secrets: those that a user names, and those with a typical name.
package struct SecretNames: Sendable {
  /// A name that is one of these, or ends with `_` and one of these, in any case, denotes a secret.
  static let endings = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY"]
  private static let suffixes = endings.map { "_\($0)" }
  /// Well-known names that end so without `_`.
  static let wellKnown: Set<String> = ["PGPASSWORD", "MYSQL_PWD"]

  private let named: Set<String>

  /// Adds `named` to the usual names.
  package init(_ named: some Sequence<String> = []) {
    self.named = Set(named)
  }

  /// Whether the variable `name` holds a secret.
  package func contains(_ name: String) -> Bool {
    if named.contains(name) || SecretNames.wellKnown.contains(name) { return true }
    let upper = name.uppercased()
    return SecretNames.endings.contains(upper) || SecretNames.suffixes.contains { upper.hasSuffix($0) }
  }

  /// The secrets among `variables`, by name.
  package func secrets(in variables: [String: String]) -> [String: String] {
    variables.filter { contains($0.key) && !$0.value.isEmpty }
  }
}
