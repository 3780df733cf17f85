import CLinux
import Glibc
import SystemPackage

/// One process of the guardian, and this process's hold on it.
struct GuardianLife {
  enum Condition { case runs, stopped, ended }

  /// The name by which the program knows that it is to be a guardian. Nobody gives it to a worker by accident.
  private static let name = "mqtt-fs-worker guardian"

  package let pid: pid_t
  /// Our end of its socket.
  package let socket: Int32
  /// Becomes readable when it has ended; negative on kernels that have no such thing.
  let pidfd: Int32

  /// A copy of this process, which must have a single thread.
  static func forked() throws(Errno) -> Self {
    try begun { end throws(Errno) in
      // A signal that is meant for the worker must not end it before it ignores that; it needs none, and keeps all blocked.
      var all = sigset_t()
      var before = sigset_t()
      sigfillset(&all)
      pthread_sigmask(SIG_BLOCK, &all, &before)
      let pid = linux_fork()
      if pid == 0 { GuardianWatch.run(socket: end) }
      let error = Errno(rawValue: errno)
      pthread_sigmask(SIG_SETMASK, &before, nil)
      guard pid > 0 else { throw error }
      return pid
    }
  }

  /// This program, started anew: a copy of a process that has threads could not go on. `prepare` is given our end of the
  /// socket before there is anybody at the other.
  static func spawned(_ prepare: (_ socket: Int32) -> Void) throws(Errno) -> Self {
    try begun(preparing: prepare) { end throws(Errno) in
      // What the linker needed for this process it needs again; nothing else of the environment is a guardian's.
      let libraries = getenv("LD_LIBRARY_PATH").map { "LD_LIBRARY_PATH=\(String(cString: $0))" }
      let arguments = [strdup(name), nil]
      let environment = [libraries.flatMap { strdup($0) }, nil]
      defer { for text in arguments + environment { free(text) } }
      let pid = linux_spawn("/proc/self/exe", arguments, environment, "/", end)
      guard pid > 0 else { throw Errno(rawValue: -pid) }
      return pid
    }
  }

  /// Does a guardian's work if this process was started by ``spawned(_:)``: its socket is its stdout.
  package static func serveIfAsked() {
    guard CommandLine.argc == 1, let first = CommandLine.unsafeArgv[0], strcmp(first, name) == 0 else { return }
    for number in GuardianWatch.ignored { signal(number, SIG_IGN) }
    GuardianWatch.run(socket: fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3))
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
      return GuardianLife(pid: pid, socket: ends[0], pidfd: linux_pidfd(pid))
    } catch {
      ProcessTree.didSpawn(nil)
      close(ends[0])
      throw error
    }
  }

  /// Whether it does its work. It stays a zombie if it does not: ``end()`` reaps it.
  package var condition: Condition {
    var status = siginfo_t()
    guard waitid(P_PID, id_t(pid), &status, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) == 0 else { return .ended }
    guard status._sifields._sigchld.si_pid != 0 else { return .runs }
    return status.si_code == CLD_STOPPED ? .stopped : .ended
  }

  package func resume() { kill(pid, SIGCONT) }

  /// Kills and reaps it. That is the surest all-clear: one that is dead does nothing at the end of file.
  package func end() {
    kill(pid, SIGKILL)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    ProcessTree.unspare(pid)
    if pidfd >= 0 { close(pidfd) }
    close(socket)
  }
}
