import CLinux
import Glibc
import SystemPackage

/// The first process of a step, from spawn to status.
struct StepProcess: Sendable {
  let pid: pid_t

  /// Starts the command with `arguments` and its output to `output`: by clone3(2), or posix_spawn(3) where that is not
  /// available.
  ///
  /// A program name without "/" is searched for in the folders of the step's own `PATH`, as execvp(3) does, but not in
  /// relative ones: a file of the job must not be run by its bare name. argv[0] stays as given, as in a shell.
  ///
  /// The process starts in `cgroup`, if there is one and the kernel permits it.
  static func spawn(
    _ arguments: [String], _ command: StepCommand, in cgroup: StepCgroup?, output: FileDescriptor
  ) throws(SpawnError) -> Self {
    let folder = cgroup.map { open($0.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) } ?? -1
    defer { if folder >= 0 { close(folder) } }
    let program = arguments[0]
    let argv = arguments.map { strdup($0) } + [nil]
    let environment = command.environment.map { StepEnvironment.entry($0, $1) } + [nil]
    defer { for text in argv + environment { free(text) } }
    // The default of confstr(3), _CS_PATH.
    let folders = command.environment["PATH"] ?? "/bin:/usr/bin"
    // Read the clocks in this order: a process that is stopped in between has less time, not more.
    let now = linux_time_since_boot()
    let latest = command.startsBefore.map { now + Int64(($0 - .now) / .nanoseconds(1)) } ?? .max
    var failure: Errno?
    for path in paths(of: program, folders) {
      let pid = patiently {
        let directory = command.workingDirectory.string
        for folder in Set([folder, -1]).sorted(by: >) {
          var isMade: Int32 = 0
          let pid = linux_spawn_until(latest, folder, path, argv, environment, directory, output.rawValue, &isMade)
          if isMade != 0 || folder < 0 && pid == -EAGAIN { return pid }
        }
        guard linux_time_since_boot() < latest else { return -ETIMEDOUT }
        return linux_spawn(path, argv, environment, directory, output.rawValue)
      }
      guard pid < 0 else { return StepProcess(pid: pid) }
      failure = Errno(rawValue: -pid)
      guard [ENOENT, EACCES, ENOTDIR].contains(-pid) else { break }
    }
    guard let failure else {
      throw SpawnError(
        program: program,
        problem: "no such program in the folders of PATH (\(folders)), relative ones excluded; install it "
          + "where the worker runs, or give its path")
    }
    throw SpawnError(program, in: command.workingDirectory, failure)
  }

  /// EAGAIN, the limit of processes, may be temporary: retries for 31 ms.
  private static func patiently(_ spawn: () -> Int32) -> Int32 {
    for milliseconds: UInt32 in [1, 2, 4, 8, 16] {
      let pid = spawn()
      guard pid == -EAGAIN else { return pid }
      usleep(milliseconds * 1000)
    }
    return spawn()
  }

  private static func paths(of program: String, _ folders: String) -> [String] {
    guard !program.contains("/") else { return [program] }
    return folders.split(separator: ":").filter { $0.hasPrefix("/") }.map { "\($0)/\(program)" }
      .filter { kind(of: $0) == S_IFREG && access($0, X_OK) == 0 }
  }

  /// Becomes readable when the process has ended; negative on kernels without pidfd. The caller closes it.
  func descriptor() -> Int32 { linux_pidfd(pid) }

  /// Waits for the process, reaps it, and adds what it used to `usage`; from then on its pid may be reused.
  func reap(_ usage: inout ProcessUsage) -> StepEnd {
    var (status, used): (Int32, rusage) = (0, rusage())
    while wait4(pid, &status, 0, &used) != pid {
      // Nobody else reaps it; a lost status would be no success.
      guard errno == EINTR else { return .signaled(0) }
    }
    usage.add(used)
    // wait(2), WTERMSIG and WEXITSTATUS: macros that Swift does not see.
    let signal = status & 0x7F
    return signal == 0 ? .exited(status >> 8 & 0xFF) : .signaled(signal)
  }
}

extension SpawnError {
  /// The error for a failed posix_spawn(3), with advice.
  fileprivate init(_ program: String, in folder: FilePath, _ error: Errno) {
    let problem =
      switch error {
      case _ where kind(of: folder.string) != S_IFDIR || access(folder.string, X_OK) != 0:
        "its working directory '\(folder)' cannot be entered"
      case .noSuchFileOrDirectory, .notDirectory, .permissionDenied:
        "there is no such program, or it or the interpreter in its first line may not be executed"
      case .argListTooLong: "its arguments and environment are too long for execve(2)"
      case .execFormatError: "it is not a program for this machine, and its first line names no interpreter"
      case .resourceTemporarilyUnavailable:
        "the limit of processes is reached; raise it (ulimit -u, pids.max), or run fewer processes at once"
      case .timedOut: "the worker was stalled for too long before the start"
      default: "the system refused"
      }
    self.init(program: program, problem: "\(problem) (\(error))", errno: error)
  }
}

/// The file type (S_IFREG, S_IFDIR and so on), following symlinks.
private func kind(of path: String) -> mode_t? {
  var status = stat()
  return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
}
