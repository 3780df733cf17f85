import CLinux
package import Glibc
import Synchronization
import SystemPackage

/// A small process that outlives this one for a moment: when this one dies without having dismissed it, by SIGKILL for
/// instance, it kills everything that the steps had started, and goes.
///
/// It is forked off before this process has threads, and long before there is a job: a fork(2) of a process that has only
/// begun costs a tenth of starting a program, and the code of a lone thread may go on in the child. Each page that is
/// written to by then is copied by whoever writes to it next, at a microsecond or two. It learns of the steps over a socket,
/// whose end of file tells it that this process is gone. In place of one that was killed the program is started anew. It sits
/// in a session of its own, ignores what ends others, and keeps no descriptor and no directory of this process, and nothing of
/// its arguments and environment. Its memory is a copy of this process's, which nobody else may look into.
package final class Guardian: Sendable {
  private struct State {
    /// Nil once it is dismissed, and while no other can be started in its place.
    var life: GuardianProcess?
    var isDismissed = false
    /// What one that is started in its place must know, in order.
    var told: [[UInt8]] = []
    /// How many of these messages its socket has taken.
    var sent = 0
    /// Whether somebody was told of its loss since the last step began.
    var hasWarned = false
    var warn: @Sendable (String) -> Void = { _ in }
  }

  private let state: Mutex<State>

  private init(_ life: GuardianProcess) { state = Mutex(State(life: life)) }

  /// Forks it off. Call it on the only thread that there is, early: when the program knows that it is to run steps, and before
  /// it starts anything.
  ///
  /// - Throws: ``SpawnError`` when there are no descriptors or processes left.
  package static func fork() throws(SpawnError) -> Guardian {
    do throws(Errno) {
      return Guardian(try .forked())
    } catch {
      throw SpawnError(
        program: "fork(2)", problem: "the guardian that ends steps if the worker is killed: \(error)", errno: error)
    }
  }

  /// Does a guardian's work and never returns, if this process was started to take the place of one that was killed. Call it
  /// before anything else.
  package static func serveIfAsked() { GuardianProcess.serveIfAsked() }

  /// Calls `body` with a sentence when the guardian is found killed or stopped: once a step at most.
  package func onLoss(_ body: @escaping @Sendable (String) -> Void) {
    state.withLock { $0.warn = body }
  }

  /// Ends it, because nothing is left to guard, and reaps it. Calling it twice is calling it once.
  package func dismiss() {
    state.withLock { state in
      state.isDismissed = true
      state.life.take()?.end()
    }
  }

  package var pid: pid_t? { state.withLock { $0.life?.pid } }

  /// Becomes readable when it has ended; negative if the kernel has no such thing, or there is none.
  package var descriptor: Int32 { state.withLock { $0.life?.pidfd ?? -1 } }

  /// Has it go on if somebody has stopped it, and puts another in its place, which learns all that it knew, if it has ended. A
  /// step can do both, and kill the worker next.
  func revive() {
    state.withLock { state in
      guard !state.isDismissed else { return }
      switch state.life?.condition {
      case .runs: break
      case .stopped:
        state.life?.resume()
        Self.warn(
          "something has stopped the guardian, which ends the step if this process is killed: continued it", &state)
      case .ended, nil:
        state.life.take()?.end()
        state.sent = 0
        do throws(Errno) {
          // What it is to know is in its socket before it begins: this process may be the next to be killed.
          state.life = try .spawned { socket in state.sent = Self.send(state.told, from: 0, to: socket) }
          Self.warn(
            "something has killed the guardian, which ends the step if this process is killed: started another", &state)
        } catch {
          Self.warn(
            "something has killed the guardian, which ends the step if this process is killed, and no other can be started"
              + " (\(error)); trying again", &state)
        }
      }
      Self.flush(&state)
    }
  }

  /// Tells it that there is a job now: `marker` is the environment entry, `JOB_WORKSPACE=<path>`, that the steps'
  /// processes have and no others.
  package func guardProcesses(carrying marker: String) { tell(Array(marker.utf8), insteadOf: .all) }

  /// Tells it of a session that a step has, or in which an orphan of a step is: what is in it and not older than
  /// `start` (ticks since boot) is the step's, and so is what writes to the pipe with that inode number.
  package func watch(session: pid_t, since start: UInt64, pipe: UInt64) {
    tell(GuardianMessage.watch(session: session, start: start, pipe: pipe).bytes, insteadOf: .none)
  }

  /// Tells it of the cgroup that a step is to have.
  package func watch(_ cgroup: StepCgroup) { tell(Array(cgroup.path.utf8), insteadOf: .none) }

  /// Nothing is left of the step: the numbers may come to mean others.
  func forgetAll() { tell(GuardianMessage.forgetAll.bytes, insteadOf: .allButTheFirst) }

  /// The job is over: from now on another worker may have it, and its processes must not be taken for this one's.
  package func forgetJob() { tell(GuardianMessage.forgetJob.bytes, insteadOf: .all) }

  /// The claim of the job was touched. Has it end the step when it is not told so again for a whole `lease`: then this process
  /// stands still, and another worker may begin the job.
  package func renew(_ lease: Duration) {
    let message = GuardianMessage.renewed(lease: UInt64(max(1, lease / .nanoseconds(1)))).bytes
    state.withLock { state in
      guard let life = state.life, state.sent == state.told.count else { return }
      _ = Self.send([message], from: 0, to: life.socket)
    }
  }

  /// Whether it has ended the step for that, since this was asked last.
  func hasEndedStep() -> Bool {
    state.withLock { state in
      guard let life = state.life else { return false }
      var byte: UInt8 = 0
      return recv(life.socket, &byte, 1, Int32(MSG_DONTWAIT)) == 1
    }
  }

  /// Which of the earlier messages mean nothing any more. The first is the job's.
  private enum Outdated { case none, allButTheFirst, all }

  private func tell(_ message: [UInt8], insteadOf outdated: Outdated) {
    state.withLock { state in
      if outdated != .none {
        state.told.removeSubrange((outdated == .all ? 0 : min(1, state.told.count))...)
        state.sent = min(state.sent, state.told.count)
        state.hasWarned = false
      }
      state.told.append(message)
      Self.flush(&state)
    }
  }

  /// What a full socket does not take follows later.
  private static func flush(_ state: inout State) {
    guard let life = state.life else { return }
    state.sent = send(state.told, from: state.sent, to: life.socket)
  }

  /// Returns how many of the messages have been sent by now. A guardian that somebody has killed is no reason to fail, or to
  /// die of SIGPIPE.
  private static func send(_ messages: [[UInt8]], from first: Int, to socket: Int32) -> Int {
    for (index, bytes) in messages.enumerated().dropFirst(first) {
      let sent = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      guard sent == bytes.count else { return index }
    }
    return messages.count
  }

  private static func warn(_ sentence: String, _ state: inout State) {
    guard !state.hasWarned else { return }
    state.hasWarned = true
    state.warn(sentence)
  }
}

/// One process of the guardian, and this process's hold on it.
struct GuardianProcess {
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
      return GuardianProcess(pid: pid, socket: ends[0], pidfd: linux_pidfd(pid))
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
