import FileTree
import Glibc
import Synchronization

/// A line on the terminal that tells how far a copy is, in the place of the one before it.
///
/// Each line of the log erases it first: it comes again with the next report.
enum ProgressLine {
  private static let isShown = Atomic<Bool>(false)
  private static let erase = "\r\u{1B}[K"

  /// Whether there is somebody to look at it.
  static var isWanted: Bool { isatty(STDERR_FILENO) == 1 }

  /// Shows a line.
  static func show(_ text: String) {
    isShown.store(true, ordering: .relaxed)
    put(erase + text)
  }

  /// Takes the line away.
  static func clear() { put(erasure) }

  /// What a line of the log has to begin with, so that it does not mix with this one.
  static var erasure: String {
    isShown.exchange(false, ordering: .relaxed) ? erase : ""
  }

  /// `staging job_1: 12345 files, 1.2 GiB, 310.5 MiB/s`
  static func text(_ doing: String, _ progress: CopyProgress) -> String {
    let seconds = progress.elapsed / .seconds(1)
    let rate = Int64(exactly: (Double(progress.bytes) / max(seconds, 0.001)).rounded(.down)) ?? .max
    let files = "\(progress.files) file\(progress.files == 1 ? "" : "s")"
    return "\(doing): \(files), \(bytesText(progress.bytes)), \(bytesText(rate))/s"
  }

  private static func put(_ text: String) {
    let bytes = Array(text.utf8)
    if !bytes.isEmpty { _ = write(STDERR_FILENO, bytes, bytes.count) }
  }
}
