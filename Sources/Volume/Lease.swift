private import CLinux
private import Dispatch
private import FoundationEssentials
private import Glibc
import Jobs
private import Synchronization
import SystemPackage

/// How long a file on the volume may go untouched until whoever made it counts as dead.
package struct Lease: Sendable {
  package let duration: Duration
  package let clock: VolumeClock
  private let times: TimeSource
  private let watched: WatchedFiles

  /// `memory` is a file on the local disk that keeps what was watched, for the next process.
  init(
    _ duration: Duration, clock: VolumeClock, times: TimeSource = .volume, remembering memory: FilePath? = nil
  ) {
    self.duration = duration
    self.clock = clock
    self.times = times
    watched = WatchedFiles(remembering: times == .hosts ? memory.map(VolumePath.init(file:)) : nil)
  }

  /// Whether `path` has not been touched for a whole lease; `false` if it is gone.
  ///
  /// Where the volume stamps what is touched, its age says so: who looks at many files reads the volume's clock once, before the
  /// first, and gives it as `moment`, since to read it is to write to the volume. A file from the future was touched before the
  /// clock was set back: it is watched. Where hosts stamp (``TimeSource/hosts``) every file is: it has expired when this worker
  /// has seen it unchanged for a whole lease.
  func hasExpired(_ path: VolumePath, at moment: Int64? = nil) throws(VolumeError) -> Bool {
    guard let look = try clock.look(path) else { return false }
    if times == .volume {
      let now = if let moment { moment } else { try clock.now() }
      let age = Duration.nanoseconds(now) - .nanoseconds(look.touched)
      guard age < .seconds(-1) else { return age > duration }
    }
    return watched.age(of: path, look.mark) > duration
  }

  /// Touches `file` every third of the lease, on a thread of the system's timers, and calls `body` each time.
  func keeping(_ file: FileDescriptor, _ body: @escaping @Sendable () -> Void) -> LeaseRenewer {
    LeaseRenewer(file, every: duration / 3, body)
  }
}

/// Keeps a lease alive until it is cancelled. A dispatch timer does not depend on Swift's cooperative threads, which a
/// slow volume may hold.
final class LeaseRenewer: Sendable {
  // The timers are made once and only cancelled; DispatchSource is safe to use from any thread.
  private nonisolated(unsafe) let timer: any DispatchSourceTimer
  private nonisolated(unsafe) let watchdog: any DispatchSourceTimer
  private let progress: Mutex<Progress>
  private let interval: Duration

  private struct Progress {
    /// When the last touch began that succeeded, in nanoseconds since boot.
    var touched = linux_time_since_boot()
    /// The longest time between two of them, in nanoseconds.
    var longestGap: Int64 = 0
    /// When the watchdog looked last.
    var looked = linux_time_since_boot()
    var isWatching = false
    var onLapse: (@Sendable (Duration) -> Void)?
  }

  init(_ file: FileDescriptor, every interval: Duration, _ body: @escaping @Sendable () -> Void) {
    self.interval = interval
    progress = Mutex(Progress())
    let queue = DispatchQueue(label: "lease")
    timer = DispatchSource.makeTimerSource(queue: queue)
    // A touch that hangs must not hang who watches for that.
    watchdog = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "lease watch"))
    schedule(timer, every: interval)
    timer.setEventHandler { [weak self] in
      self?.touch(file)
      body()
    }
    watchdog.setEventHandler { [weak self] in self?.look(file, queue) }
    timer.resume()
  }

  /// Calls `body` once, when no touch has succeeded for two intervals, which is two thirds of a lease: who cannot keep its claim
  /// must have ended its work before others may begin it. A process that was stopped itself, or a machine that was suspended,
  /// gets the chance to touch first.
  package func onLapse(_ body: @escaping @Sendable (Duration) -> Void) {
    let isNew = progress.withLock { progress in
      defer { (progress.isWatching, progress.onLapse) = (true, body) }
      progress.looked = linux_time_since_boot()
      return !progress.isWatching
    }
    guard isNew else { return }
    schedule(watchdog, every: interval / 4)
    watchdog.resume()
  }

  /// Five sixths of a lease, less what has passed since the last touch that succeeded.
  package var left: Duration {
    let age = Duration.nanoseconds(linux_time_since_boot() - progress.withLock { $0.touched })
    return max(interval * 5 / 2 - age, .zero)
  }

  /// The longest time that the file went untouched, up to now.
  package var longestGap: Duration {
    progress.withLock { .nanoseconds(max($0.longestGap, linux_time_since_boot() - $0.touched)) }
  }

  private func schedule(_ timer: any DispatchSourceTimer, every interval: Duration, after first: Duration? = nil) {
    let nanoseconds = max(1, Int(clamping: interval.nanoseconds))
    // What wakes the process together with another timer wakes it once.
    timer.schedule(
      deadline: .now() + .nanoseconds(max(1, Int(clamping: (first ?? interval).nanoseconds))),
      repeating: .nanoseconds(nanoseconds), leeway: .nanoseconds(nanoseconds / 10))
  }

  private func touch(_ file: FileDescriptor) {
    let began = linux_time_since_boot()
    do throws(Errno) {
      try Volume.touch(file)
      progress.withLock { progress in
        progress.longestGap = max(progress.longestGap, began - progress.touched)
        progress.touched = began
      }
    } catch {
      // Sooner than in its turn.
      schedule(timer, every: interval, after: interval / 4)
    }
  }

  private func look(_ file: FileDescriptor, _ queue: DispatchQueue) {
    let now = linux_time_since_boot()
    let (wasStopped, lapse) = progress.withLock { progress -> (Bool, (@Sendable (Duration) -> Void)?) in
      let pause = Duration.nanoseconds(now - progress.looked)
      progress.looked = now
      if pause > interval { return (true, nil) }
      guard Duration.nanoseconds(now - progress.touched) > interval * 2 else { return (false, nil) }
      defer { progress.onLapse = nil }
      return (false, progress.onLapse)
    }
    if wasStopped { queue.async { [weak self] in self?.touch(file) } }
    lapse?(.nanoseconds(now - progress.withLock { $0.touched }))
  }

  package func cancel() {
    timer.cancel()
    let isWatching = progress.withLock { progress in
      defer { (progress.isWatching, progress.onLapse) = (true, nil) }
      return progress.isWatching
    }
    // A source must not be released before it was resumed once.
    if !isWatching { watchdog.resume() }
    watchdog.cancel()
  }
}

extension Duration {
  /// Whole nanoseconds, clamped.
  fileprivate var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow
      ? (seconds < 0 ? .min : .max) : product.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
  }
}

/// Since when this host has seen files unchanged, by its clock since boot (CLOCK_BOOTTIME, which goes on while a machine is
/// suspended).
///
/// What was seen outlives the process, in a file on the local disk: of workers that live for one short job each none would ever
/// see a whole lease. It is worth nothing after another boot.
final class WatchedFiles: Sendable {
  private struct Sighting: Codable {
    var mark: String
    var since: Int64
  }

  private struct Memory: Codable {
    var boot: String
    var seen: [String: Sighting]
  }

  private let memory: VolumePath?
  private let seen: Mutex<[String: Sighting]>
  /// Over this many, those that were seen first are forgotten.
  private static let limit = 4096

  init(remembering memory: VolumePath?) {
    self.memory = memory
    let bytes = memory.flatMap { try? DurableFile.read($0) }
    let remembered = bytes.flatMap { try? JSONDecoder().decode(Memory.self, from: Data($0)) }
    let isOfThisBoot = remembered?.boot == ProcessIdentity.current.bootId
    // A time that is yet to come is nobody's.
    let now = linux_time_since_boot()
    seen = Mutex(isOfThisBoot ? (remembered?.seen ?? [:]).filter { (0...now).contains($0.value.since) } : [:])
  }

  /// For how long `path` has been seen with this `mark`, which changes whenever the file does; zero when that is new.
  package func age(of path: VolumePath, _ mark: String) -> Duration {
    let now = linux_time_since_boot()
    let (age, changed) = seen.withLock { seen -> (Duration, [String: Sighting]?) in
      let path = path.description
      if let sighting = seen[path], sighting.mark == mark { return (.nanoseconds(now - sighting.since), nil) }
      seen[path] = Sighting(mark: mark, since: now)
      if seen.count > WatchedFiles.limit, let oldest = seen.min(by: { $0.value.since < $1.value.since }) {
        seen[oldest.key] = nil
      }
      return (.zero, memory == nil ? nil : seen)
    }
    if let changed { remember(changed) }
    return age
  }

  /// What cannot be kept is seen again.
  private func remember(_ seen: [String: Sighting]) {
    guard let memory,
      let text = try? JSONEncoder().encode(Memory(boot: ProcessIdentity.current.bootId, seen: seen))
    else { return }
    let draft = DurableFile.draft(of: memory)
    guard let file = try? draft.openFile(O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600) else { return }
    let isWritten = (try? file.closeAfter { try file.writeAll(text) }) != nil
    if isWritten { try? draft.rename(to: memory.name) }
  }
}
