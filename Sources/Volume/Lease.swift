import SystemPackage

/// The time after which the owner of an untouched file on the volume counts as dead.
package struct Lease: Sendable {
  package let duration: Duration
  package let clock: VolumeClock
  private let times: TimeSource
  let watched: WatchedFiles

  /// `memory` is a local file that keeps the observations for the next process.
  init(
    _ duration: Duration, clock: VolumeClock, times: TimeSource = .volume, remembering memory: FilePath? = nil
  ) {
    self.duration = duration
    self.clock = clock
    self.times = times
    watched = WatchedFiles(remembering: times == .hosts ? memory.map(VolumePath.init(file:)) : nil)
  }

  /// Whether nobody has touched `path` for a whole lease; `false` if it is gone.
  ///
  /// If the volume sets the times, the file's age decides. Reading the volume's clock is a write, so a caller with many
  /// files reads it once before the first, and passes it as `moment`. A file from the future was touched before the
  /// clock was set back: it is observed instead. If hosts set the times (``TimeSource/hosts``), every file is observed:
  /// it has expired when this worker has seen it unchanged for a whole lease.
  func hasExpired(_ path: VolumePath, at moment: Int64? = nil) throws(VolumeError) -> Bool {
    guard let look = try clock.look(path) else { return false }
    if times == .volume {
      let now = if let moment { moment } else { try clock.now() }
      let age = Duration.nanoseconds(now) - .nanoseconds(look.touched)
      guard age < .seconds(-1) else { return age > duration }
    }
    return watched.age(of: path, look.mark) > duration
  }

  /// How long nobody has touched `path`, which `look` has just shown: by the volume's clock or, as in
  /// ``hasExpired(_:at:)``, as long as this worker has seen it so.
  func rest(of path: VolumePath, _ look: VolumeClock.Look) throws(VolumeError) -> Duration {
    if times == .volume {
      let age = Duration.nanoseconds(try clock.now()) - .nanoseconds(look.touched)
      if age > .seconds(-1) { return max(age, .zero) }
    }
    return watched.age(of: path, look.mark)
  }

  /// Whether this worker has seen `path` unchanged for a whole lease, whatever its times say; `false` if it is gone.
  func hasRested(_ path: VolumePath) throws(VolumeError) -> Bool {
    guard let look = try clock.look(path) else { return false }
    return watched.age(of: path, look.mark) > duration
  }

  /// Touches `file` every third of the lease on a timer's thread, and calls `body` each time.
  func keeping(_ file: FileDescriptor, _ body: @escaping @Sendable () -> Void) -> LeaseRenewer {
    LeaseRenewer(file, every: duration / 3, body)
  }
}

extension Duration {
  /// Whole nanoseconds, clamped.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow
      ? (seconds < 0 ? .min : .max) : product.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
  }
}
