import Synchronization

/// The error that ends a piece of parallel work: the first that any thread reports.
final class FirstFailure: Sendable {
  private let stored = Mutex<FileTreeError?>(nil)

  var value: FileTreeError? { stored.withLock { $0 } }

  func set(_ error: FileTreeError) {
    stored.withLock { if $0 == nil { $0 = error } }
  }
}
