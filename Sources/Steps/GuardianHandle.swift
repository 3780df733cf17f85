import CLinux
import Glibc
import SystemPackage

/// The worker's hold on one process of the guardian: its pid, socket and pidfd.
struct GuardianHandle {
  enum Condition { case runs, stopped, ended }

  /// The argv[0] that makes the program a guardian. No worker gets it by accident.
  private static let name = "mqtt-fs-worker guardian"

  let pid: pid_t
  /// This process's end of its socket.
  let socket: Int32
  /// Becomes readable when it has ended; negative on kernels without pidfd.
  let pidfd: Int32

  /// Forks this process, which must have a single thread.
  static func forked() throws(Errno) -> Self {
    try begun { end throws(Errno) in
      // Block all signals: one for the worker must not end the guardian before it ignores that signal. It needs none,
      // and keeps them blocked.
      var all = sigset_t()
      var before = sigset_t()
      sigfillset(&all)
      pthread_sigmask(SIG_BLOCK, &all, &before)
      let pid = linux_fork()
      if pid == 0 { GuardianMain.run(socket: end) }
      let error = Errno(rawValue: errno)
      pthread_sigmask(SIG_SETMASK, &before, nil)
      guard pid > 0 else { throw error }
      return pid
    }
  }

  /// Starts this program anew: a fork of a process with threads could not continue. `prepare` receives this process's
  /// end of the socket before the guardian exists.
  static func spawned(_ prepare: (_ socket: Int32) -> Void) throws(Errno) -> Self {
    try begun(preparing: prepare) { end throws(Errno) in
      // Pass on the linker's variable, which the same program needs again, and nothing else of the environment.
      let libraries = getenv("LD_LIBRARY_PATH").map { "LD_LIBRARY_PATH=\(String(cString: $0))" }
      let arguments = [strdup(name), nil]
      let environment = [libraries.flatMap { strdup($0) }, nil]
      defer { for text in arguments + environment { free(text) } }
      let pid = linux_spawn("/proc/self/exe", arguments, environment, "/", end)
      guard pid > 0 else { throw Errno(rawValue: -pid) }
      return pid
    }
  }

  /// Runs as a guardian if this process was started by ``spawned(_:)``: its socket is its stdout.
  static func serveIfAsked() {
    guard CommandLine.argc == 1, let first = CommandLine.unsafeArgv[0], strcmp(first, name) == 0 else { return }
    for number in GuardianMain.ignored { signal(number, SIG_IGN) }
    GuardianMain.run(socket: fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3))
  }

  private static func begun(
    preparing prepare: (Int32) -> Void = { _ in }, _ begin: (Int32) throws(Errno) -> pid_t
  ) throws(Errno) -> Self {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Errno(rawValue: errno) }
    defer { close(ends[1]) }
    prepare(ends[0])
    ProcessTree.willSpawn()
    do throws(Errno) {
      let pid = try begin(ends[1])
      ProcessTree.didSpawn(pid)
      return GuardianHandle(pid: pid, socket: ends[0], pidfd: linux_pidfd(pid))
    } catch {
      ProcessTree.didSpawn(nil)
      close(ends[0])
      throw error
    }
  }

  /// Whether it is running. An ended guardian stays a zombie until ``end()`` reaps it.
  var condition: Condition {
    var status = siginfo_t()
    guard waitid(P_PID, id_t(pid), &status, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) == 0 else { return .ended }
    guard status._sifields._sigchld.si_pid != 0 else { return .runs }
    return status.si_code == CLD_STOPPED ? .stopped : .ended
  }

  func resume() { kill(pid, SIGCONT) }

  /// Kills and reaps it. A dead guardian cannot react to the end of file.
  func end() {
    kill(pid, SIGKILL)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    ProcessTree.unspare(pid)
    if pidfd >= 0 { close(pidfd) }
    close(socket)
  }
}
