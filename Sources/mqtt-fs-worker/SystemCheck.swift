import CLinux
import Glibc

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
    } else if let limit = softLimit(__RLIMIT_NPROC), limit < fewProcesses,
      linux_startable_threads(mostThreads) < mostThreads
    {
      complain(
        "mqtt-fs-worker: the limit of this user's processes is \(limit), and there is no room for \(mostThreads) threads: raise it "
          + "(ulimit -u, LimitNPROC)")
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
  /// A worker with a job needs about ten. Without one the runtime waits for it, and nothing is told.
  private static var mostThreads: Int32 { 16 }
  /// A limit of processes below this is worth the time of a try.
  private static var fewProcesses: rlim_t { 1024 }

  /// A soft limit (getrlimit(2)). It is not raised here: steps would inherit it.
  private static func softLimit(_ kind: __rlimit_resource) -> rlim_t? {
    var limit = rlimit()
    return getrlimit(__rlimit_resource_t(kind.rawValue), &limit) == 0 ? limit.rlim_cur : nil
  }
}
