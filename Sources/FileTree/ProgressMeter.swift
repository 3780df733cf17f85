import Synchronization

/// Adds up what the threads of a copy have done, and tells it a few times a second.
final class ProgressMeter: Sendable {
  private static let interval = Duration.milliseconds(100)

  private let files = Atomic<Int>(0)
  private let bytes = Atomic<Int64>(0)
  private let begin = ContinuousClock.now
  private let lastReport: Mutex<ContinuousClock.Instant>
  private let report: (@Sendable (CopyProgress) -> Void)?

  init(_ report: (@Sendable (CopyProgress) -> Void)?) {
    self.report = report
    lastReport = Mutex(begin)
  }

  /// Whether anybody wants to know. Without, counting costs nothing.
  var isOn: Bool { report != nil }

  /// Counts, and reports if it is time and no other thread does.
  func add(files moreFiles: Int = 0, bytes moreBytes: Int64) {
    guard let report else { return }
    let files = files.add(moreFiles, ordering: .relaxed).newValue
    let bytes = bytes.add(moreBytes, ordering: .relaxed).newValue
    _ = lastReport.withLockIfAvailable { last in
      let now = ContinuousClock.now
      guard now - last >= Self.interval else { return }
      last = now
      report(CopyProgress(files: files, bytes: bytes, elapsed: now - begin))
    }
  }
}
