import Foundation
public import Glibc
import Synchronization
public import SystemPackage

/// How a process ended.
public enum ProcessEnd: Equatable, Sendable {
  /// It called exit(3) with this status.
  case code(Int32)
  /// A signal ended it.
  case signal(Int32)
}

/// A process that a test started. Its output goes to files, which can be read at any time.
public final class ChildProcess: Sendable {
  /// The process id. After this process is reaped, another one may get the id.
  public let pid: pid_t
  private let outputFile: FilePath
  private let errorFile: FilePath
  private let state = Mutex(State())
  private let reaping = DispatchGroup()

  private struct State {
    var end: ProcessEnd?
    var waiting: [CheckedContinuation<ProcessEnd, Never>] = []
  }

  /// Starts `program` in `directory` with no other environment than `environment`, and with /dev/null on stdin. Appends
  /// stdout and stderr to `<files>.out` and `<files>.err`. A missing program ends with 127.
  public init(
    _ program: FilePath, _ arguments: [String], environment: [String: String], directory: FilePath, files: FilePath
  ) throws {
    outputFile = FilePath("\(files).out")
    errorFile = FilePath("\(files).err")
    pid = try spawn(
      program, arguments, environment.map { "\($0)=\($1)" }, directory, output: outputFile, errors: errorFile)
    // A queue with one long block serves as a thread.
    DispatchQueue(label: "wait for \(pid)").async(group: reaping) { self.reap() }
  }

  private func reap() {
    var info = siginfo_t()
    while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
    // Reap it under the lock: until then the pid is this process's, so no signal can hit another process.
    let (end, waiting) = state.withLock { state in
      var status: Int32 = 0
      waitpid(pid, &status, 0)
      let end: ProcessEnd = status & 0x7F == 0 ? .code((status >> 8) & 0xFF) : .signal(status & 0x7F)
      state.end = end
      defer { state.waiting = [] }
      return (end, state.waiting)
    }
    for continuation in waiting { continuation.resume(returning: end) }
  }

  /// Sends `signal`; does nothing once the process has ended.
  public func send(_ signal: Int32) {
    state.withLock { state in
      if state.end == nil { Glibc.kill(pid, signal) }
    }
  }

  /// How it ended, or `nil` while it runs.
  public var end: ProcessEnd? { state.withLock { $0.end } }

  /// Waits for its end without a limit.
  public func ended() async -> ProcessEnd {
    await withCheckedContinuation { continuation in
      let end = state.withLock { state in
        if state.end == nil { state.waiting.append(continuation) }
        return state.end
      }
      if let end { continuation.resume(returning: end) }
    }
  }

  /// Blocks the thread until its end, without a limit.
  public func wait() { reaping.wait() }

  /// Whether the program has a handler for `signal` by now (proc(5), SigCgt).
  public func catches(_ signal: Int32) -> Bool { holds(signal, in: "SigCgt:") }

  /// Whether the program ignores `signal` by now (proc(5), SigIgn).
  public func ignores(_ signal: Int32) -> Bool { holds(signal, in: "SigIgn:") }

  private func holds(_ signal: Int32, in set: String) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix(set) }),
      let mask = UInt64(line.dropFirst(set.count).trimmingCharacters(in: .whitespaces), radix: 16)
    else { return false }
    return mask & (1 << UInt64(signal - 1)) != 0
  }

  /// Waits for its end. Throws ``WaitedInVain`` with its stderr after `limit`.
  @discardableResult
  public func end(within limit: Duration = patience) async throws -> ProcessEnd {
    do {
      return try await eventually("the end of process \(pid)", within: limit) { end }
    } catch let error as WaitedInVain {
      throw WaitedInVain("\(error); it is in state \(state(of: pid)) and wrote:\n\(errors.suffix(4000))")
    }
  }

  /// Waits until it is stopped by SIGSTOP; throws when it ends instead.
  public func stopped(within limit: Duration = patience) async throws {
    do {
      try await eventually("the stop of process \(pid)", within: limit) {
        if let end { throw WaitedInVain("process \(pid) ended with \(end) before it stopped") }
        return state(of: pid) == "T"
      }
    } catch let error as WaitedInVain {
      throw WaitedInVain("\(error); it wrote:\n\(errors.suffix(4000))")
    }
  }

  /// Waits until it has a child, and returns the first.
  public func child() async throws -> pid_t {
    try await eventually("a child of \(pid)") {
      let children = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
      return children.flatMap { $0.split(separator: " ").first }.flatMap { pid_t($0) }
    }
  }

  /// Its stdout so far.
  public var output: String { text(outputFile) }

  /// Its stderr so far.
  public var errors: String { text(errorFile) }

  private func text(_ path: FilePath) -> String {
    String(decoding: FileManager.default.contents(atPath: path.string) ?? Data(), as: UTF8.self)
  }

  private func state(of pid: pid_t) -> String { ProcessEntry.state(of: pid) ?? "gone" }
}

private func spawn(
  _ program: FilePath, _ arguments: [String], _ environment: [String], _ directory: FilePath, output: FilePath,
  errors: FilePath
) throws -> pid_t {
  var actions = posix_spawn_file_actions_t()
  var attributes = posix_spawnattr_t()
  posix_spawn_file_actions_init(&actions)
  posix_spawnattr_init(&attributes)
  defer {
    posix_spawn_file_actions_destroy(&actions)
    posix_spawnattr_destroy(&attributes)
  }
  let flags = O_WRONLY | O_CREAT | O_APPEND
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_addopen(&actions, 1, output.string, flags, 0o644)
  posix_spawn_file_actions_addopen(&actions, 2, errors.string, flags, 0o644)
  // A socket that leaked into a broker or a worker would stay connected after a test closes it. posix_spawn(3) skips
  // descriptors that are not open.
  for descriptor in Int32(3)..<1024 { posix_spawn_file_actions_addclose(&actions, descriptor) }
  // The test runner may ignore or block signals; a started program must begin with the defaults.
  var none = sigset_t()
  var all = sigset_t()
  sigemptyset(&none)
  sigfillset(&all)
  posix_spawnattr_setsigmask(&attributes, &none)
  posix_spawnattr_setsigdefault(&attributes, &all)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
  // env(1) changes the folder and executes the program; posix_spawn(3) has no portable way to change the folder.
  let argv = (["env", "-C", directory.string, program.string] + arguments).map { strdup($0) }
  let envp = environment.map { strdup($0) }
  defer { for text in argv + envp { free(text) } }
  var pid: pid_t = 0
  let code = posix_spawn(&pid, "/usr/bin/env", &actions, &attributes, argv + [nil], envp + [nil])
  guard code == 0 else { throw Errno(rawValue: code) }
  return pid
}

/// The path of an installed program. Brokers are often installed outside a plain user's PATH.
public func installed(_ name: String) throws -> FilePath {
  let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
  for folder in path.split(separator: ":").map(String.init) + ["/usr/bin", "/usr/sbin", "/usr/local/sbin"] {
    let file = FilePath(folder).appending(name)
    if access(file.string, X_OK) == 0 { return file }
  }
  throw WaitedInVain("\(name) is not installed; on Debian: apt-get install mosquitto mosquitto-clients openssl")
}
