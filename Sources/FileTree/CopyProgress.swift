import Glibc
import Synchronization

/// The progress of a copy or an export.
public struct CopyProgress: Hashable, Sendable {
  /// The number of complete files and symlinks.
  public let files: Int

  /// The number of bytes copied, including those of incomplete files.
  public let bytes: Int64

  /// The time since the copy or export began.
  public let elapsed: Duration

  /// Creates a progress report.
  public init(files: Int, bytes: Int64, elapsed: Duration) {
    self.files = files
    self.bytes = bytes
    self.elapsed = elapsed
  }
}

/// Sums the progress of all threads of a copy, and reports it a few times a second.
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

  /// Adds to the counts, and reports if a report is due and no other thread is reporting.
  func add(files moreFiles: Int, bytes moreBytes: Int64 = 0) {
    guard let report else { return }
    files.add(moreFiles, ordering: .relaxed)
    // Sizes of sparse files may overflow; a sum that is only displayed must not crash the program.
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
