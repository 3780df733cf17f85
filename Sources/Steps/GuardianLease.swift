import CLinux

/// For how long the job is the worker's, as its guardian knows.
struct GuardianLease {
  private let nanoseconds: Int64
  /// Since boot, the time included for which the machine is suspended.
  private var renewed: Int64
  private var looked: Int64

  init(_ nanoseconds: UInt64, at now: Int64 = linux_time_since_boot()) {
    self.nanoseconds = Int64(clamping: nanoseconds)
    (renewed, looked) = (now, now)
  }

  /// Between looks, in milliseconds for poll(2).
  var pollTimeout: Int32 { Int32(clamping: max(1, nanoseconds / 8_000_000)) }

  /// Whether it is over. If this process has stood still, too, as in a machine that was suspended or a container that was paused,
  /// the worker is to have its chance to touch the claim first.
  mutating func hasLapsed(at now: Int64 = linux_time_since_boot()) -> Bool {
    let (pause, age) = (now - looked, now - renewed)
    looked = now
    if pause > nanoseconds / 4 { renewed = max(renewed, now - (nanoseconds - nanoseconds / 4)) }
    return pause <= nanoseconds / 4 && age > nanoseconds
  }
}
