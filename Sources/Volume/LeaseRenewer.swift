private import CLinux
private import Dispatch
private import Glibc
private import Synchronization
import SystemPackage

/// Renews a lease until it is canceled. A dispatch timer does not depend on Swift's cooperative threads, which a slow
/// volume may block.
///
/// It touches the file through a descriptor of its own: a touch that hangs on the volume may end after ``cancel()``, when the
/// owner has closed the file.
final class LeaseRenewer: Sendable {
  // The timers are made once and only cancelled; DispatchSource is safe to use from any thread.
  private nonisolated(unsafe) let timer: any DispatchSourceTimer
  private nonisolated(unsafe) let watchdog: any DispatchSourceTimer
  private let progress: Mutex<Progress>
  private let interval: Duration
  private let file: FileDescriptor
  private let ownsFile: Bool

  private struct Progress {
    /// The start of the last successful touch, in nanoseconds since boot.
    var touched = linux_time_since_boot()
    /// The longest time between two touches, in nanoseconds.
    var longestGap: Int64 = 0
    /// The last run of the watchdog.
    var looked = linux_time_since_boot()
    /// When the watchdog last found that the process had stood still.
    var resumed: Int64?
    var isWatching = false
    /// Whether a touch is under way; then it closes the file if the renewer is canceled meanwhile.
    var isTouching = false
    var isCanceled = false
    var onLapse: (@Sendable (Duration) -> Void)?
  }

  init(_ file: FileDescriptor, every interval: Duration, _ body: @escaping @Sendable () -> Void) {
    self.interval = interval
    let own = fcntl(file.rawValue, F_DUPFD_CLOEXEC, 0)
    // Without a free descriptor it uses the owner's.
    (self.file, ownsFile) = own < 0 ? (file, false) : (FileDescriptor(rawValue: own), true)
    progress = Mutex(Progress())
    let queue = DispatchQueue(label: "lease")
    timer = DispatchSource.makeTimerSource(queue: queue)
    // A touch that hangs must not block the watchdog.
    watchdog = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "lease watch"))
    schedule(timer, every: interval)
    timer.setEventHandler { [weak self] in
      self?.touch()
      body()
    }
    watchdog.setEventHandler { [weak self] in self?.look(queue) }
    timer.resume()
  }

  /// Calls `body` once if no touch has succeeded for two intervals, which is two thirds of a lease: a worker that
  /// cannot renew its claim must end the job before others may start it. After SIGSTOP or a suspend the process first
  /// tries to touch the file, for an interval at most.
  func onLapse(_ body: @escaping @Sendable (Duration) -> Void) {
    let isNew = progress.withLock { progress in
      defer { (progress.isWatching, progress.onLapse) = (true, body) }
      progress.looked = linux_time_since_boot()
      return !progress.isWatching
    }
    guard isNew else { return }
    schedule(watchdog, every: interval / 4)
    watchdog.resume()
  }

  /// Five sixths of a lease minus the time since the last successful touch.
  var left: Duration {
    let age = Duration.nanoseconds(linux_time_since_boot() - progress.withLock { $0.touched })
    return max(interval * 5 / 2 - age, .zero)
  }

  /// The longest time between two touches, up to now.
  var longestGap: Duration {
    progress.withLock { .nanoseconds(max($0.longestGap, linux_time_since_boot() - $0.touched)) }
  }

  private func schedule(_ timer: any DispatchSourceTimer, every interval: Duration, after first: Duration? = nil) {
    let nanoseconds = max(1, Int(clamping: interval.nanoseconds))
    // With leeway, several timers wake the process together.
    timer.schedule(
      deadline: .now() + .nanoseconds(max(1, Int(clamping: (first ?? interval).nanoseconds))),
      repeating: .nanoseconds(nanoseconds), leeway: .nanoseconds(nanoseconds / 10))
  }

  private func touch() {
    let mayBegin = progress.withLock { progress in
      progress.isTouching = !progress.isCanceled
      return progress.isTouching
    }
    guard mayBegin else { return }
    defer {
      let isOver = progress.withLock { progress in
        progress.isTouching = false
        return progress.isCanceled
      }
      if isOver, ownsFile { try? file.close() }
    }
    let began = linux_time_since_boot()
    do throws(Errno) {
      try Volume.touch(file)
      progress.withLock { progress in
        progress.longestGap = max(progress.longestGap, began - progress.touched)
        progress.touched = began
      }
    } catch {
      // Retry sooner than in the next interval.
      schedule(timer, every: interval, after: interval / 4)
    }
  }

  private func look(_ queue: DispatchQueue) {
    let now = linux_time_since_boot()
    let (wasStopped, lapse) = progress.withLock { progress -> (Bool, (@Sendable (Duration) -> Void)?) in
      let pause = Duration.nanoseconds(now - progress.looked)
      progress.looked = now
      if pause > interval {
        progress.resumed = now
        return (true, nil)
      }
      guard Duration.nanoseconds(now - progress.touched) > interval * 2,
        progress.resumed.map({ Duration.nanoseconds(now - $0) > interval }) ?? true
      else { return (false, nil) }
      defer { progress.onLapse = nil }
      return (false, progress.onLapse)
    }
    if wasStopped { queue.async { [weak self] in self?.touch() } }
    lapse?(.nanoseconds(now - progress.withLock { $0.touched }))
  }

  /// Ends it, without waiting for a touch that is under way.
  func cancel() {
    timer.cancel()
    let (isWatching, mayClose) = progress.withLock { progress in
      defer { (progress.isWatching, progress.onLapse, progress.isCanceled) = (true, nil, true) }
      return (progress.isWatching, !progress.isCanceled && !progress.isTouching)
    }
    if mayClose, ownsFile { try? file.close() }
    // A dispatch source must be resumed once before its release.
    if !isWatching { watchdog.resume() }
    watchdog.cancel()
  }
}
