import Glibc
import Synchronization

/// Decides how many threads may work at once, from how busy they keep the cores.
final class ThreadAdmission: Sendable {
  private static let most = 64
  private static let interval: Int64 = 4_000_000
  /// A thread costs about as much as copying ten files: a tree that is done by then is none to share.
  private static let alone: Int64 = 500_000

  private static let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))

  private let begun = clock(CLOCK_MONOTONIC)
  private let most: Int
  private let current: Atomic<Int>
  private let nextLook: Atomic<Int64>
  private let lastWall: Atomic<Int64>
  private let lastCPU: Atomic<Int64>

  init(_ policy: ThreadPolicy) {
    switch policy {
    case .adaptive:
      most = max(Self.cores, Self.most)
      current = Atomic(Self.cores)
    case .atMost(let count):
      most = count
      current = Atomic(count)
    }
    let now = clock(CLOCK_MONOTONIC_COARSE)
    nextLook = Atomic(now + Self.interval)
    lastWall = Atomic(now)
    lastCPU = Atomic(clock(CLOCK_PROCESS_CPUTIME_ID))
  }

  var limit: Int { current.load(ordering: .relaxed) }

  /// Whether the work has taken so long that another thread may pay.
  var isWorthwhile: Bool { clock(CLOCK_MONOTONIC) - begun > Self.alone }

  /// Whether the interval has passed since the last look.
  @inline(__always)
  var isDue: Bool {
    limit < most && clock(CLOCK_MONOTONIC_COARSE) >= nextLook.load(ordering: .relaxed)
  }

  /// Doubles the limit if the process used less than half of the cores' time since the last look.
  /// Returns whether it was raised.
  func raise() -> Bool {
    let due = nextLook.load(ordering: .relaxed)
    let wall = clock(CLOCK_MONOTONIC_COARSE)
    guard wall >= due,
      nextLook.compareExchange(expected: due, desired: wall + Self.interval, ordering: .relaxed).exchanged
    else { return false }
    let cpu = clock(CLOCK_PROCESS_CPUTIME_ID)
    let wallSpent = wall - lastWall.exchange(wall, ordering: .relaxed)
    let cpuSpent = cpu - lastCPU.exchange(cpu, ordering: .relaxed)
    guard cpuSpent * 2 < wallSpent * Int64(Self.cores) else { return false }
    current.store(min(most, limit * 2), ordering: .relaxed)
    return true
  }
}

/// A clock of clock_gettime(2), in nanoseconds.
func clock(_ id: clockid_t) -> Int64 {
  var time = timespec()
  clock_gettime(id, &time)
  return time.nanoseconds
}
