import Glibc
import JobWorker
import SystemPackage

/// The lives of one process, with `--jobs`: after a job it starts itself again in place (execve(2)), so that nothing of
/// one job can be left over for the next, and a container engine sees one long run instead of many short ones.
struct Lives {
  /// How many jobs are to be done in all; 0 for no end.
  private let wanted: Int
  private let done: Int
  private let environment: Environment
  private static let counter = "MQTT_FS_WORKER_JOBS_DONE"

  init(wanted: Int, _ environment: Environment) {
    self.wanted = wanted
    self.environment = environment
    done = environment[Lives.counter].flatMap { Int($0) } ?? 0
  }

  /// Whether this process had a life before this one.
  static var isLater: Bool { getenv(counter) != nil }

  /// Whether there is to be one more after this one.
  var hasNext: Bool { wanted == 0 || done + 1 < wanted }

  /// Starts the next life, and does not return, unless a signal to stop came. Throws when the program cannot be started.
  func startNext() throws {
    guard StopSignals.hold() else { return }
    Secrets.restore(environment)
    setenv(Lives.counter, "\(done + 1)", 1)
    let arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
    execv("/proc/self/exe", arguments)
    throw VolumeError("starting again from", "/proc/self/exe", Errno(rawValue: errno))
  }
}
