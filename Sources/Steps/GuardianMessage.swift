import Glibc

/// What a guardian is told besides names: a session to watch, that there is none any more, or no job, or that the claim of the
/// job was touched.
enum GuardianMessage: Equatable {
  /// What is in the session and not older than `start` (ticks since boot) is a step's, and so is what writes to the pipe.
  case watch(session: pid_t, start: UInt64, pipe: UInt64)
  case forgetAll
  case forgetJob
  /// The job is this worker's for so many nanoseconds more.
  case renewed(lease: UInt64)

  package static let size = 24

  /// Takes ``size`` bytes.
  init(_ bytes: UnsafeRawBufferPointer) {
    let number = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    switch bytes.loadUnaligned(as: Int64.self) {
    case 0: self = .forgetAll
    case -1: self = .forgetJob
    case -2: self = .renewed(lease: number)
    case let session:
      let pipe = bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
      self = .watch(session: pid_t(truncatingIfNeeded: session), start: number, pipe: pipe)
    }
  }

  package var bytes: [UInt8] {
    let numbers: (Int64, UInt64, UInt64) =
      switch self {
      case .watch(let session, let start, let pipe): (Int64(session), start, pipe)
      case .forgetAll: (0, 0, 0)
      case .forgetJob: (-1, 0, 0)
      case .renewed(let lease): (-2, lease, 0)
      }
    return withUnsafeBytes(of: numbers) { Array($0) }
  }
}
