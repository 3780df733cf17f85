import CLinux
import Glibc
import SystemPackage

/// The first process of a step, from its spawn to its status.
struct StepProcess: Sendable {
  let pid: pid_t

  /// Starts the command with `arguments`, its output going to `output`. posix_spawn(3).
  ///
  /// argv[0] stays as it was given, as in a shell: else `$0` were the path that it was found under.
  static func spawn(_ arguments: [String], _ command: StepCommand, output: FileDescriptor) throws(SpawnError) -> Self {
    let program = arguments[0]
    guard let path = path(of: program, command.environment["PATH"]) else {
      throw SpawnError(
        program: program,
        problem: "no such program in PATH (\(command.environment["PATH"] ?? "")); install it where the worker runs, or "
          + "give its path")
    }
    let argv = arguments.map { strdup($0) } + [nil]
    let environment = command.environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in argv + environment { free(text) } }
    let pid = linux_spawn(path, argv, environment, command.workingDirectory.string, output.rawValue)
    guard pid > 0 else { throw SpawnError(program, in: command.workingDirectory, Errno(rawValue: -pid)) }
    return StepProcess(pid: pid)
  }

  /// One that is named without "/" is the first of that name in `PATH` that may be executed. Folders there that are relative
  /// are passed over: what a job brings along is no program by its name alone.
  private static func path(of program: String, _ folders: String?) -> String? {
    guard !program.contains("/") else { return program }
    // What confstr(3) says of _CS_PATH, for who has none.
    let folders = (folders ?? "/bin:/usr/bin").split(separator: ":").lazy.filter { $0.hasPrefix("/") }
    return folders.map { "\($0)/\(program)" }.first { kind(of: $0) == S_IFREG && access($0, X_OK) == 0 }
  }

  /// Becomes readable when it has ended; negative on kernels that have no such thing. To be closed by whoever asks for it.
  func descriptor() -> Int32 { linux_pidfd(pid) }

  /// Takes its status, once it has ended; from then on its number may be another's.
  func reap() -> StepEnd {
    var status = siginfo_t()
    while waitid(P_PID, id_t(pid), &status, WEXITED) != 0, errno == EINTR {}
    let code = status._sifields._sigchld.si_status
    return status.si_code == CLD_EXITED ? .exited(code) : .signaled(code)
  }
}

extension SpawnError {
  /// What posix_spawn(3) said, in words that tell what to do.
  fileprivate init(_ program: String, in folder: FilePath, _ error: Errno) {
    let problem =
      switch error {
      case .noSuchFileOrDirectory, .notDirectory, .permissionDenied:
        if kind(of: folder.string) == S_IFDIR, access(folder.string, X_OK) == 0 {
          "there is no such program, or it or the interpreter in its first line may not be executed"
        } else {
          "its working directory '\(folder)' cannot be entered"
        }
      case .argListTooLong: "its arguments and environment are too long for execve(2)"
      case .execFormatError: "it is no program of this machine's, nor does its first line name an interpreter"
      default: "posix_spawn(3) refuses it"
      }
    self.init(program: program, problem: "\(problem) (\(error))", errno: error)
  }
}

/// S_IFREG, S_IFDIR and so on, of what is there, behind all links.
private func kind(of path: String) -> mode_t? {
  var status = stat()
  return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
}
