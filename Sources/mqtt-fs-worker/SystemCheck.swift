import CLinux
import Glibc
import SystemPackage

/// What the program needs of the system before it starts a thread.
enum SystemCheck {
  /// Ends the program where it could not do what it is told.
  static func run() {
    if CommandLine.arguments.count != linux_argument_count() {
      complain(
        "mqtt-fs-worker: the arguments cannot be read, because /proc is not mounted: mount it (mount -t proc proc /proc)"
      )
    } else if linux_forbids_threads() != 0 {
      complain(
        "mqtt-fs-worker: no thread can be started: the container's seccomp profile answers clone3(2) with EPERM; use a newer "
          + "container runtime, or a profile that allows it")
    } else if let limits = lowLimits, linux_startable_threads(mostThreads) < mostThreads {
      complain("mqtt-fs-worker: there is no room for \(mostThreads) threads: raise the limit of \(limits)")
    } else if let limit = softLimit(RLIMIT_NOFILE), limit < leastOpenFiles {
      complain(
        "mqtt-fs-worker: the limit of open files is \(limit): raise it to \(leastOpenFiles) or more (ulimit -n, LimitNOFILE)"
      )
    } else {
      return
    }
    _exit(ExitStatus.misconfigured.rawValue)
  }

  /// With fewer, libraries trap instead of reporting an error, because the event loop or a thread gets no descriptor.
  private static var leastOpenFiles: rlim_t { 64 }
  /// A worker with a job needs up to 16, and its guardian and its step are processes, too. Without a thread the runtime
  /// waits for one, and nothing is told.
  private static var mostThreads: Int32 { 24 }
  /// Of limits of processes only those below this are worth the time of a try.
  private static var fewProcesses: UInt64 { 1024 }

  /// The limits that may leave no room for threads, in words; `nil` if there are none. Stacks count as address space and
  /// as data.
  private static var lowLimits: String? {
    var limits: [String] = []
    if let limit = softLimit(__RLIMIT_NPROC), limit < fewProcesses {
      limits.append("this user's processes, \(limit) (ulimit -u, LimitNPROC)")
    }
    if let limit = softLimit(RLIMIT_AS), limit != rlim_t.max {
      limits.append("address space, \(limit) bytes (ulimit -v, LimitAS)")
    }
    if let limit = softLimit(RLIMIT_DATA), limit != rlim_t.max {
      limits.append("data, \(limit) bytes (ulimit -d, LimitDATA)")
    }
    if let limit = containerProcesses, limit < fewProcesses {
      limits.append("the container's processes, \(limit) (--pids-limit, pids.max)")
    }
    return limits.isEmpty ? nil : limits.joined(separator: "; or of ")
  }

  /// The limit of processes and threads of the container's cgroup, of version 2 or 1. On a host it lies elsewhere, and
  /// systemd's default is far above ``fewProcesses``.
  private static var containerProcesses: UInt64? {
    ["/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"].lazy.compactMap(number).first
  }

  /// The number that a file of the kernel's has alone on its line.
  private static func number(in path: FilePath) -> UInt64? {
    guard let file = try? FileDescriptor.open(path, .readOnly) else { return nil }
    defer { try? file.close() }
    return withUnsafeTemporaryAllocation(byteCount: 24, alignment: 1) { buffer in
      guard let count = try? file.read(into: buffer) else { return nil }
      return UInt64(String(decoding: buffer.prefix(count), as: UTF8.self).prefix { $0 != "\n" })
    }
  }

  /// A soft limit (getrlimit(2)). It is not raised here: steps would inherit it.
  private static func softLimit(_ kind: __rlimit_resource) -> rlim_t? {
    var limit = rlimit()
    return getrlimit(__rlimit_resource_t(kind.rawValue), &limit) == 0 ? limit.rlim_cur : nil
  }
}
