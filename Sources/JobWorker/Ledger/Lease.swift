private import Dispatch
private import Glibc
private import Synchronization
import SystemPackage

/// How long a file on the volume may go untouched until whoever made it counts as dead.
struct Lease: Sendable {
  let duration: Duration
  let clock: VolumeClock
  private let watched = Watched()

  init(_ duration: Duration, clock: VolumeClock) {
    self.duration = duration
    self.clock = clock
  }

  /// Whether `path` has not been touched for a whole lease; `false` if it is gone.
  ///
  /// A file from the future was touched before the volume's clock was set back: it is watched, and has expired when it
  /// stays untouched for a whole lease of this process's monotonic clock. Who looks at many files reads the volume's clock
  /// once, before the first, and gives it as `moment`: to read it is to write to the volume.
  func hasExpired(_ path: VolumePath, at moment: Int64? = nil) throws(VolumeError) -> Bool {
    guard let touched = try clock.touched(path) else { return false }
    let now = if let moment { moment } else { try clock.now() }
    let age = Duration.nanoseconds(now) - .nanoseconds(touched)
    guard age < .seconds(-1) else { return age > duration }
    return watched.age(of: path, touched: touched) > duration
  }

  /// Touches `file` every third of the lease, on a thread of the system's timers, and calls `body` each time.
  func keeping(_ file: FileDescriptor, _ body: @escaping @Sendable () -> Void) -> LeaseKeeper {
    LeaseKeeper(file, every: duration / 3, body)
  }

  private final class Watched: Sendable {
    private let seen = Mutex<[VolumePath: (touched: Int64, since: ContinuousClock.Instant)]>([:])

    func age(of path: VolumePath, touched: Int64) -> Duration {
      let now = ContinuousClock.now
      return seen.withLock { seen in
        if let entry = seen[path], entry.touched == touched { return now - entry.since }
        seen[path] = (touched, now)
        return .zero
      }
    }
  }
}

/// Keeps a lease alive until it is cancelled. A dispatch timer does not depend on Swift's cooperative threads, which a
/// slow volume may hold.
final class LeaseKeeper: Sendable {
  // The timer is made once and only cancelled; DispatchSource is safe to use from any thread.
  private nonisolated(unsafe) let timer: any DispatchSourceTimer

  init(_ file: FileDescriptor, every interval: Duration, _ body: @escaping @Sendable () -> Void) {
    timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "lease"))
    let nanoseconds = Int(interval / .nanoseconds(1))
    // What wakes the process together with another timer wakes it once.
    timer.schedule(
      deadline: .now() + .nanoseconds(nanoseconds), repeating: .nanoseconds(nanoseconds),
      leeway: .nanoseconds(nanoseconds / 10))
    timer.setEventHandler {
      try? touch(file)
      body()
    }
    timer.resume()
  }

  func cancel() {
    timer.cancel()
  }
}
