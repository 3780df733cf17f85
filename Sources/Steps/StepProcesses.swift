import CLinux
import Glibc
package import SystemPackage

/// Finds the processes of one step wherever they are, by their marks.
struct StepProcesses: Sendable {
  /// The step's first process, the leader of its session. Until it is reaped, its pid cannot be reused.
  let leader: pid_t
  /// The start time of the leader: no process of the step is older.
  let start: UInt64
  /// The inode number of the log's pipe.
  let pipe: UInt64
  /// The environment entry that only processes of this job have.
  let marker: String?

  /// The living processes of the step, leader first: a shell that is asked to end after its children could report their
  /// end, or continue with the script.
  func alive() -> [ProcessEntry] {
    let table = ProcessEntry.all()
    let isOfStep = ProcessTree.adoptsOrphans ? isAdopted : isMarked
    let roots = table.filter { $0.pid == leader || $0.session == leader || isOfStep($0) }
    let found = living(ProcessTree.descendants(of: Set(roots.map(\.pid)), in: table))
    return found.filter { $0.pid == leader } + found.filter { $0.pid != leader }
  }

  /// The processes that the step has left behind, when its leader has ended and is not reaped yet. Reaps those that
  /// have ended.
  ///
  /// If nothing is left, this lists only this process's own children, not every process of the machine.
  func leftovers() -> [ProcessEntry] {
    if ProcessTree.adoptsOrphans, orphans(atMost: 1)?.isEmpty == true { return [] }
    return alive().filter { $0.pid != leader }
  }

  /// The step's living orphans among this process's children; nil where the kernel does not list children. Reaps those
  /// that have ended.
  func orphans(atMost limit: Int = .max) -> [ProcessEntry]? {
    while let children = ProcessEntry.children() {
      var (found, hasReaped) = ([ProcessEntry](), false)
      for child in children where child != leader {
        guard let entry = ProcessEntry(child), isOrphan(entry) else { continue }
        if entry.isAlive { found.append(entry) } else { hasReaped = ProcessTree.reap(child) || hasReaped }
        if found.count == limit { return found }
      }
      // Children of a just reaped process may have been adopted after the list was read: read it again.
      if !hasReaped { return found }
    }
    return nil
  }

  private func isOrphan(_ child: ProcessEntry) -> Bool {
    child.start >= start && child.session != getsid(0) && !ProcessTree.isSpared(child.pid)
  }

  private func isAdopted(_ entry: ProcessEntry) -> Bool { entry.parent == getpid() && isOrphan(entry) }

  private func isMarked(_ entry: ProcessEntry) -> Bool {
    guard entry.start >= start, entry.isAlive, entry.pid != getpid(), !ProcessTree.isSpared(entry.pid) else {
      return false
    }
    return entry.writes(toPipe: pipe) || marker.map(entry.carries) ?? false
  }

  private func living(_ entries: [ProcessEntry]) -> [ProcessEntry] {
    let own = getpid()
    return entries.filter { entry in
      if !entry.isAlive, entry.parent == own, entry.pid != leader, ProcessTree.adoptsOrphans {
        ProcessTree.reap(entry.pid)
      }
      return entry.isAlive && entry.pid != own && (entry.pid == leader || !ProcessTree.isSpared(entry.pid))
    }
  }
}

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

/// A step could not be started: no part of it ran.
package struct SpawnError: Error, Sendable, CustomStringConvertible {
  /// argv[0] as given.
  package let program: String
  /// The problem and advice, as half a sentence.
  package let problem: String
  /// The errno, if a system call failed.
  package let errno: Errno?
  /// Whether the step failed to start only because its latest start time had passed.
  package var isTooLate: Bool { errno == .timedOut }

  /// Creates an error about one program.
  package init(program: String, problem: String, errno: Errno? = nil) {
    self.program = program
    self.problem = problem
    self.errno = errno
  }

  /// The whole sentence.
  package var description: String { "cannot start '\(program)': \(problem)" }
}
