import CLinux
import Glibc
package import SystemPackage

/// The first process of a step, from its spawn to its status.
struct StepProcess: Sendable {
  package let pid: pid_t

  /// Starts the command with `arguments`, its output going to `output`: clone3(2), or posix_spawn(3) where that is not to be had.
  ///
  /// A program that is named without "/" is sought in the folders of the step's own `PATH`, as execvp(3) does, less those that
  /// are relative: what a job brings along is no program by its name alone. argv[0] stays as it was given, as in a shell.
  ///
  /// It begins in `cgroup`, if there is one and the kernel lets it.
  static func spawn(
    _ arguments: [String], _ command: StepCommand, in cgroup: StepCgroup?, output: FileDescriptor
  ) throws(SpawnError) -> Self {
    let folder = cgroup.map { open($0.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) } ?? -1
    defer { if folder >= 0 { close(folder) } }
    let program = arguments[0]
    let argv = arguments.map { strdup($0) } + [nil]
    let environment = command.environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in argv + environment { free(text) } }
    // What confstr(3) says of _CS_PATH, for who has none.
    let folders = command.environment["PATH"] ?? "/bin:/usr/bin"
    // The clocks are read in this order: whoever is stopped between the two has less time, not more.
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
        problem: "no such program in the folders of PATH (\(folders)), those that are relative not counted; install it "
          + "where the worker runs, or give its path")
    }
    throw SpawnError(program, in: command.workingDirectory, failure)
  }

  /// That there are as many processes as are allowed may be so for a moment only: tries again for 31 ms.
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

  /// Becomes readable when it has ended; negative on kernels that have no such thing. To be closed by whoever asks for it.
  package func descriptor() -> Int32 { linux_pidfd(pid) }

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
      case _ where kind(of: folder.string) != S_IFDIR || access(folder.string, X_OK) != 0:
        "its working directory '\(folder)' cannot be entered"
      case .noSuchFileOrDirectory, .notDirectory, .permissionDenied:
        "there is no such program, or it or the interpreter in its first line may not be executed"
      case .argListTooLong: "its arguments and environment are too long for execve(2)"
      case .execFormatError: "it is no program of this machine's, nor does its first line name an interpreter"
      case .resourceTemporarilyUnavailable:
        "there are as many processes as are allowed; raise the limit (ulimit -u, pids.max), or run fewer at once"
      case .timedOut: "the worker stood still for too long before it"
      default: "the system refuses it"
      }
    self.init(program: program, problem: "\(problem) (\(error))", errno: error)
  }
}

/// S_IFREG, S_IFDIR and so on, of what is there, behind all links.
private func kind(of path: String) -> mode_t? {
  var status = stat()
  return stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
}

/// A step could not be started: nothing of it ran.
package struct SpawnError: Error, Sendable, CustomStringConvertible {
  /// argv[0] as it was given.
  package let program: String
  /// What went wrong and what to do about it, as half a sentence.
  package let problem: String
  /// What the system said, where it was asked.
  package let errno: Errno?
  /// Nothing is wrong with it, but the moment has passed until which it might be started.
  package var isTooLate: Bool { errno == .timedOut }

  /// What could not be started, and why.
  package init(program: String, problem: String, errno: Errno? = nil) {
    self.program = program
    self.problem = problem
    self.errno = errno
  }

  /// The whole sentence.
  package var description: String { "cannot start '\(program)': \(problem)" }
}
