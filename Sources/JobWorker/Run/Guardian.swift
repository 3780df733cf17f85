import CLinux
import Glibc
import Synchronization
public import SystemPackage

/// A small process that outlives this one for a moment: when this one dies without having dismissed it, by SIGKILL for
/// instance, it kills everything that the steps had started, and goes.
///
/// It is this same program, started in a mode that calls `Guardian.main`. It learns of the steps over its stdin, whose
/// end of file tells it that this process is gone. It sits in a session of its own, ignores what ends others, and holds
/// nothing else of this process: no descriptor, no directory, no secret in its environment.
public final class Guardian: Sendable {
  private let pid: pid_t
  /// Our end of its stdin; nil once it is dismissed.
  private let socket: Mutex<Int32?>

  private init(pid: pid_t, socket: Int32) {
    self.pid = pid
    self.socket = Mutex(socket)
  }

  /// Starts `executable` with `arguments` and, as one more, `marker`. Returns as soon as it is spawned (under a
  /// millisecond); it comes up while the first step does.
  ///
  /// - Parameters:
  ///   - executable: this program, such as `/proc/self/exe`.
  ///   - arguments: what makes it call `Guardian.main`, without argv[0].
  ///   - marker: the environment entry, `JOB_WORKSPACE=<path>`, that the steps' processes have and no others.
  /// - Throws: ``SpawnError`` when there are no descriptors or processes left, or the program cannot be run.
  public static func start(executable: FilePath, arguments: [String], marker: String) throws(SpawnError) -> Guardian {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    do throws(Errno) {
      guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Errno(rawValue: errno) }
      let pid = try spawn(executable, [programName(executable)] + arguments + [marker], stdin: ends[1])
      close(ends[1])
      return Guardian(pid: pid, socket: ends[0])
    } catch {
      for end in ends where end >= 0 { close(end) }
      throw SpawnError(
        program: executable.string, problem: "the guardian that ends steps if the worker is killed: \(error)",
        errno: error)
    }
  }

  /// Ends it, because nothing is left to guard, and reaps it. Call it before a process replaces itself with execve(2),
  /// too. Calling it twice is calling it once.
  public func dismiss() {
    guard let socket = socket.withLock({ $0.take() }) else { return }
    // The surest all-clear: one that is dead does nothing at the end of file.
    kill(pid, SIGKILL)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    ProcessTree.unspare(pid)
    close(socket)
  }

  /// Tells it of a session that a step has, or in which an orphan of a step is: what is in it and not older than
  /// `start` (ticks since boot) is the step's, and so is what writes to the pipe with that inode number.
  func watch(session: pid_t, since start: UInt64, pipe: UInt64) {
    send(GuardianMessage(session: session, start: start, pipe: pipe))
  }

  /// Nothing is left of the step: the numbers may come to mean others.
  func forgetAll() { send(.forgetAll) }

  /// A guardian that somebody has killed is no reason to fail, or to die of SIGPIPE.
  private func send(_ message: GuardianMessage) {
    socket.withLock { socket in
      guard let socket else { return }
      _ = message.words.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      }
    }
  }

  private static func spawn(_ executable: FilePath, _ arguments: [String], stdin: Int32) throws(Errno) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_adddup2(&actions, stdin, 0)
    // Not to be ended by what is meant for the worker, even before it has said for itself that it ignores it.
    var blocked = sigset_t()
    sigemptyset(&blocked)
    for signal in GuardianWatch.ignored { sigaddset(&blocked, signal) }
    posix_spawnattr_setsigmask(&attributes, &blocked)
    posix_spawnattr_setflags(&attributes, linux_spawn_setsid | Int16(POSIX_SPAWN_SETSIGMASK))
    let argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    // What the dynamic linker may need, and none of the worker's secrets.
    let libraries = getenv("LD_LIBRARY_PATH").map { "LD_LIBRARY_PATH=" + String(cString: $0) }
    let environment: [UnsafeMutablePointer<CChar>?] = [libraries].compactMap(\.self).map { strdup($0) }
    defer { for text in argv + environment { free(text) } }
    var pid: pid_t = 0
    ProcessTree.willSpawn()
    let result = posix_spawn(&pid, executable.string, &actions, &attributes, argv + [nil], environment + [nil])
    ProcessTree.didSpawn(result == 0 ? pid : nil)
    guard result == 0 else { throw Errno(rawValue: result) }
    return pid
  }

  /// What ps(1) is to show where `/proc/self/exe` was given.
  private static func programName(_ executable: FilePath) -> String {
    let target = [CChar](unsafeUninitializedCapacity: Int(PATH_MAX)) { buffer, count in
      count = max(0, readlink(executable.string, buffer.baseAddress!, buffer.count))
    }
    return target.isEmpty ? executable.string : String(decoding: target.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// What the program does in its guardian mode, as the first thing: it never returns.
  public static func main(marker: String) -> Never {
    GuardianWatch.detach()
    var watch = GuardianWatch(socket: 0, marker: marker)
    watch.awaitEndOfFile()
    watch.killAll()
    exit(0)
  }
}

/// A session to watch, or that there is none any more.
struct GuardianMessage {
  static let forgetAll = GuardianMessage(session: 0, start: 0, pipe: 0)
  static let size = 24

  let words: [Int64]

  init(session: pid_t, start: UInt64, pipe: UInt64) {
    words = [Int64(session), Int64(bitPattern: start), Int64(bitPattern: pipe)]
  }

  init(words: [Int64]) { self.words = words }

  /// 0 in `forgetAll`.
  var session: pid_t { pid_t(truncatingIfNeeded: words[0]) }
  var start: UInt64 { UInt64(bitPattern: words[1]) }
  var pipe: UInt64 { UInt64(bitPattern: words[2]) }
}
