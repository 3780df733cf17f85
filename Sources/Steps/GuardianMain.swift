import CLinux
import Glibc

/// What the guardian's own process does: it records the steps until the worker is gone, then kills what is left of them.
struct GuardianMain {
  static let ignored = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGUSR1, SIGUSR2]

  private let socket: Int32
  /// `nil` while there is no job.
  private var marker: String?
  /// The sessions with processes of steps, each with the start time of its oldest.
  private var sessions: [pid_t: UInt64] = [:]
  private var pipes: Set<UInt64> = []
  private var cgroups: [StepCgroup] = []
  private var lease: GuardianLease?

  init(socket: Int32, marker: String? = nil) {
    self.socket = socket
    self.marker = marker
  }

  /// Runs as the guardian and never returns.
  static func run(socket: Int32) -> Never {
    detach(but: socket)
    var watch = GuardianMain(socket: socket)
    watch.awaitEndOfFile()
    watch.killAll()
    _exit(0)
  }

  /// Gives up everything that this process shares with the worker except the socket.
  private static func detach(but socket: Int32) {
    // Its memory is a copy of the worker's, which steps must not read either.
    linux_forbid_inspection()
    // If a step stops this process and then kills the worker, the kernel continues this process, which then ends the
    // step.
    linux_continue_without_parent()
    for number in ignored { signal(number, SIG_IGN) }
    _ = setsid()
    _ = chdir("/")
    let null = open("/dev/null", O_RDWR)
    if null >= 0 {
      for standard in 0...2 as ClosedRange<Int32> { dup2(null, standard) }
    }
    closeAll(but: socket)
    wipeEnvironment()
    nameProcess("mqtt-fs-worker guardian")
  }

  /// Closes all descriptors above the standard ones.
  private static func closeAll(but socket: Int32) {
    let below = socket > 3 ? linux_close_range(3, socket - 1) : 0
    guard below != 0 || linux_close_range(socket + 1, .max) != 0 else { return }
    // Older kernels, and some seccomp filters, have no close_range(2).
    for descriptor in ProcessEntry.descriptorsOfThisProcess() where descriptor > 2 && descriptor != socket {
      close(descriptor)
    }
  }

  private static func wipeEnvironment() {
    var next = environ
    while let entry = next.pointee {
      memset(entry, 0, strlen(entry))
      next += 1
    }
    clearenv()
  }

  /// Replaces the arguments that ps(1) shows, as far as there is room.
  private static func nameProcess(_ name: String) {
    let arguments = CommandLine.unsafeArgv
    guard CommandLine.argc > 0, let first = arguments[0], let last = arguments[Int(CommandLine.argc) - 1] else {
      return
    }
    let room = last - first + strlen(last)
    memset(first, 0, room)
    name.withCString { _ = memcpy(first, $0, min(room, strlen($0))) }
  }

  /// Returns when the other end is closed, by whatever cause.
  mutating func awaitEndOfFile() {
    // A marker is a path of any length that the worker could open. Untouched pages take no memory.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 8)
    defer { buffer.deallocate() }
    while true {
      var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      guard poll(&entry, 1, lease?.pollTimeout ?? -1) > 0 else {
        endStepIfLapsed()
        continue
      }
      let count = recv(socket, buffer.baseAddress, buffer.count, 0)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      // A message of numbers contains zero bytes, and an environment entry never does.
      if count == GuardianMessage.size, bytes.contains(0) {
        learn(GuardianMessage(bytes))
      } else if bytes.first == UInt8(ascii: "/") {
        cgroups.append(StepCgroup(path: String(decoding: bytes, as: UTF8.self)))
      } else {
        marker = String(decoding: bytes, as: UTF8.self)
      }
    }
  }

  private mutating func learn(_ message: GuardianMessage) {
    switch message {
    case .watch(let session, let start, let pipe):
      sessions[session] = min(start, sessions[session] ?? .max)
      pipes.insert(pipe)
    case .forgetStep: (sessions, pipes, cgroups) = ([:], [], [])
    case .forgetJob: (sessions, pipes, cgroups, marker, lease) = ([:], [], [], nil, nil)
    case .renewed(let nanoseconds): lease = GuardianLease(nanoseconds)
    }
  }

  /// Ends the step if the lease has expired: a stalled worker cannot keep its step from running beside the next
  /// attempt. The worker is told, in case it continues.
  private mutating func endStepIfLapsed() {
    guard lease?.hasLapsed() == true, !sessions.isEmpty || !cgroups.isEmpty else { return }
    _ = send(socket, [1], 1, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    killAll(until: .now + .seconds(5))
    (sessions, pipes, cgroups) = ([:], [], [])
  }

  /// Kills the steps' processes until none is left that this process may signal, or the time is up.
  ///
  /// The next attempt of the same job has the same marker and may have begun: processes that started after the worker's
  /// death are spared, unless they belong to a known session or descend from one of the step's.
  func killAll(until deadline: ContinuousClock.Instant? = nil) {
    guard let marker else { return endCgroups() }
    let end = Self.ticksNow()
    var sweep = ProcessSweep { processes(of: marker, notAfter: end) }
    // End cgroups only after descendants were found through their parents. A process that hangs in the kernel must not
    // prevent this.
    _ = sweep.run(until: .now + .seconds(5))
    endCgroups()
    // A step that was being spawned as the worker died is recognized only after its execve(2).
    for milliseconds: UInt32 in [0, 2, 10] {
      usleep(milliseconds * 1000)
      _ = sweep.run(until: deadline)
    }
    endCgroups()
  }

  private func endCgroups() {
    for cgroup in cgroups { cgroup.end() }
  }

  private func processes(of marker: String, notAfter end: UInt64) -> [ProcessEntry] {
    ProcessTree.living { entry in
      if let start = sessions[entry.session], entry.start >= start { return true }
      guard entry.start <= end else { return false }
      return entry.carries(marker) || pipes.contains { entry.writes(toPipe: $0) }
    }
  }

  /// The current time in ticks since boot, as in the stat file of a process that starts now.
  private static func ticksNow() -> UInt64 {
    let ticks = Int64(sysconf(Int32(_SC_CLK_TCK)))
    return UInt64(linux_time_since_boot() / (1_000_000_000 / ticks))
  }
}

/// The messages to a guardian other than names: a session to watch, the end of a step or of a job, or a renewed claim.
enum GuardianMessage: Equatable {
  /// Processes in the session that are not older than `start` (ticks since boot) belong to a step, and so do writers to
  /// the pipe.
  case watch(session: pid_t, start: UInt64, pipe: UInt64)
  case forgetStep
  case forgetJob
  /// This worker holds the job for so many nanoseconds more.
  case renewed(lease: UInt64)

  static let size = 24

  /// Parses ``size`` bytes.
  init(_ bytes: UnsafeRawBufferPointer) {
    let number = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    switch bytes.loadUnaligned(as: Int64.self) {
    case 0: self = .forgetStep
    case -1: self = .forgetJob
    case -2: self = .renewed(lease: number)
    case let session:
      let pipe = bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
      self = .watch(session: pid_t(truncatingIfNeeded: session), start: number, pipe: pipe)
    }
  }

  var bytes: [UInt8] {
    let numbers: (Int64, UInt64, UInt64) =
      switch self {
      case .watch(let session, let start, let pipe): (Int64(session), start, pipe)
      case .forgetStep: (0, 0, 0)
      case .forgetJob: (-1, 0, 0)
      case .renewed(let lease): (-2, lease, 0)
      }
    return withUnsafeBytes(of: numbers) { Array($0) }
  }
}

/// How long the worker holds the job, as its guardian knows.
struct GuardianLease {
  private let nanoseconds: Int64
  /// Nanoseconds since boot, including suspended time.
  private var renewed: Int64
  private var looked: Int64

  init(_ nanoseconds: UInt64, at now: Int64 = linux_time_since_boot()) {
    self.nanoseconds = Int64(clamping: nanoseconds)
    (renewed, looked) = (now, now)
  }

  /// The interval between checks, in milliseconds for poll(2).
  var pollTimeout: Int32 { Int32(clamping: max(1, nanoseconds / 8_000_000)) }

  /// Whether it has expired. If this process was stalled, too, as in a suspended machine or a paused container, the
  /// worker first gets the chance to renew its claim.
  mutating func hasLapsed(at now: Int64 = linux_time_since_boot()) -> Bool {
    let (pause, age) = (now - looked, now - renewed)
    looked = now
    if pause > nanoseconds / 4 { renewed = max(renewed, now - (nanoseconds - nanoseconds / 4)) }
    return pause <= nanoseconds / 4 && age > nanoseconds
  }
}
