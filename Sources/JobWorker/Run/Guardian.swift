import CLinux
import Glibc
import Synchronization
import SystemPackage

/// A small process that outlives this one for a moment: when this one dies without having dismissed it, by SIGKILL for
/// instance, it kills everything that the steps had started, and goes.
///
/// It is forked off before this process has threads, and long before there is a job: a fork(2) of a process that has only
/// begun costs a tenth of starting a program, and the code of a lone thread may go on in the child. Each page that is
/// written to by then is copied by whoever writes to it next, at a microsecond or two. It learns of the steps over a socket,
/// whose end of file tells it that this process is gone. It sits in a session of its own, ignores what ends others, and
/// keeps no descriptor and no directory of this process, and nothing of its arguments and environment.
public final class Guardian: Sendable {
  private let pid: pid_t
  /// Our end of its socket; nil once it is dismissed.
  private let socket: Mutex<Int32?>

  private init(pid: pid_t, socket: Int32) {
    self.pid = pid
    self.socket = Mutex(socket)
  }

  /// Forks it off. Call it on the only thread that there is, as one of the first things that a program does.
  ///
  /// - Throws: ``SpawnError`` when there are no descriptors or processes left.
  public static func fork() throws(SpawnError) -> Guardian {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    do throws(Errno) {
      guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Errno(rawValue: errno) }
      ProcessTree.willSpawn()
      // A signal that is meant for the worker must not end it before it ignores that; it needs none, and keeps all blocked.
      var all = sigset_t()
      var before = sigset_t()
      sigfillset(&all)
      pthread_sigmask(SIG_BLOCK, &all, &before)
      let pid = linux_fork()
      if pid == 0 { GuardianWatch.run(socket: ends[1]) }
      let error = Errno(rawValue: errno)
      pthread_sigmask(SIG_SETMASK, &before, nil)
      ProcessTree.didSpawn(pid > 0 ? pid : nil)
      guard pid > 0 else { throw error }
      close(ends[1])
      return Guardian(pid: pid, socket: ends[0])
    } catch {
      for end in ends where end >= 0 { close(end) }
      throw SpawnError(
        program: "fork(2)", problem: "the guardian that ends steps if the worker is killed: \(error)", errno: error)
    }
  }

  /// Ends it, because nothing is left to guard, and reaps it. Calling it twice is calling it once.
  public func dismiss() {
    guard let socket = socket.withLock({ $0.take() }) else { return }
    // The surest all-clear: one that is dead does nothing at the end of file.
    kill(pid, SIGKILL)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    ProcessTree.unspare(pid)
    close(socket)
  }

  /// Tells it that there is a job now: `marker` is the environment entry, `JOB_WORKSPACE=<path>`, that the steps'
  /// processes have and no others.
  func guardProcesses(carrying marker: String) {
    send(Array(marker.utf8))
  }

  /// Tells it of a session that a step has, or in which an orphan of a step is: what is in it and not older than
  /// `start` (ticks since boot) is the step's, and so is what writes to the pipe with that inode number.
  func watch(session: pid_t, since start: UInt64, pipe: UInt64) {
    send(GuardianMessage(session: session, start: start, pipe: pipe).bytes)
  }

  /// Nothing is left of the step: the numbers may come to mean others.
  func forgetAll() { send(GuardianMessage.forgetAll.bytes) }

  /// The job is over: from now on another worker may have it, and its processes must not be taken for this one's.
  func forgetJob() { send(GuardianMessage.forgetJob.bytes) }

  /// A guardian that somebody has killed is no reason to fail, or to die of SIGPIPE.
  private func send(_ bytes: [UInt8]) {
    socket.withLock { socket in
      guard let socket else { return }
      _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }
  }
}

/// A session to watch, or that there is none any more, or no job.
struct GuardianMessage {
  static let forgetAll = GuardianMessage(session: 0, start: 0, pipe: 0)
  static let forgetJob = GuardianMessage(session: -1, start: 0, pipe: 0)
  static let size = 24

  /// 0 in `forgetAll`.
  let session: pid_t
  let start: UInt64
  let pipe: UInt64

  init(session: pid_t, start: UInt64, pipe: UInt64) {
    (self.session, self.start, self.pipe) = (session, start, pipe)
  }

  /// Takes ``size`` bytes.
  init(_ bytes: UnsafeRawBufferPointer) {
    session = pid_t(truncatingIfNeeded: bytes.loadUnaligned(as: Int64.self))
    start = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    pipe = bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
  }

  var bytes: [UInt8] {
    withUnsafeBytes(of: (Int64(session), start, pipe)) { Array($0) }
  }
}
