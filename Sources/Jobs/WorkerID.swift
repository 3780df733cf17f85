/// The name of a worker: a client id, a path component and a topic level at once.
package struct WorkerID: Hashable, Sendable, CustomStringConvertible {
  /// The name.
  package let text: String

  /// Takes a name that follows the rule of job ids; `%h` in it becomes the host name. `nil` if it does not.
  package init?(_ text: String, host: String) {
    // Most have none, and are spared the search for a text in a text.
    let isPlain = !text.utf8.contains(UInt8(ascii: "%"))
    let name = isPlain ? text : text.split(separator: "%h", omittingEmptySubsequences: false).joined(separator: host)
    guard (try? JobID(name)) != nil else { return nil }
    self.text = name
  }

  /// The name.
  package var description: String { text }
}

/// What the two sessions of a worker are called at the broker, behind the client id prefix.
///
/// No two workers share one: the second session of `w` is called as a worker `w-control` would be, so that one's first session
/// has a name that no worker can have.
package enum SessionName {
  private static let controlSuffix = "-control"
  private static let intakeSuffix = ":intake"

  /// The session on which requests arrive.
  package static func intake(of worker: WorkerID) -> String { intake(of: worker.text) }

  /// The session for everything else.
  package static func control(of worker: WorkerID) -> String { worker.text + controlSuffix }

  package static func intake(of worker: String) -> String {
    worker.hasSuffix(controlSuffix) ? worker + intakeSuffix : worker
  }

  /// Whose second session is called as the first one of `worker` was before version 0.2; `nil` if nobody's can be.
  package static func namesake(of worker: String) -> String? {
    worker.hasSuffix(controlSuffix) ? String(worker.dropLast(controlSuffix.count)) : nil
  }
}
