import Glibc
import Synchronization

/// How far a copy or an export is.
public struct CopyProgress: Hashable, Sendable {
  /// Files and symlinks that are complete.
  public let files: Int

  /// Bytes copied, of files that are not complete as well.
  public let bytes: Int64

  /// The time since the copy began.
  public let elapsed: Duration

  /// What has been done in a time.
  public init(files: Int, bytes: Int64, elapsed: Duration) {
    self.files = files
    self.bytes = bytes
    self.elapsed = elapsed
  }
}

/// Adds up what the threads of a copy have done, and tells it a few times a second.
final class ProgressMeter: Sendable {
  private static let interval: Int64 = 100_000_000

  private let files = Atomic<Int>(0)
  private let bytes = Atomic<Int64>(0)
  private let begin = ContinuousClock.now
  private let nextReport: Atomic<Int64>
  private let reporting = Mutex(())
  private let report: (@Sendable (CopyProgress) -> Void)?

  init(_ report: (@Sendable (CopyProgress) -> Void)?) {
    self.report = report
    nextReport = Atomic(clock(CLOCK_MONOTONIC_COARSE) + Self.interval)
  }

  /// Counts, and reports if it is time and no other thread does.
  func add(files moreFiles: Int, bytes moreBytes: Int64 = 0) {
    guard let report else { return }
    files.add(moreFiles, ordering: .relaxed)
    // Sparse files may add up to more than there is; a sum that is only shown must not end the program.
    bytes.wrappingAdd(moreBytes, ordering: .relaxed)
    guard clock(CLOCK_MONOTONIC_COARSE) >= nextReport.load(ordering: .relaxed) else { return }
    _ = reporting.withLockIfAvailable { _ in
      let now = clock(CLOCK_MONOTONIC_COARSE)
      guard now >= nextReport.load(ordering: .relaxed) else { return }
      nextReport.store(now + Self.interval, ordering: .relaxed)
      report(
        CopyProgress(
          files: files.load(ordering: .relaxed), bytes: bytes.load(ordering: .relaxed),
          elapsed: ContinuousClock.now - begin))
    }
  }
}
