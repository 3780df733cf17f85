/// The name of a worker: a client id, a path component and a topic level at once.
package struct WorkerID: Hashable, Sendable, CustomStringConvertible {
  /// The name.
  package let text: String

  /// A name by the rule of job ids; `%h` in it becomes the host name. `nil` for an invalid name.
  package init?(_ text: String, host: String) {
    // Most names have no `%h`: they skip the slower search.
    let isPlain = !text.utf8.contains(UInt8(ascii: "%"))
    let name = isPlain ? text : text.split(separator: "%h", omittingEmptySubsequences: false).joined(separator: host)
    guard (try? JobID(name)) != nil else { return nil }
    self.text = name
  }

  /// The name.
  package var description: String { text }
}

/// The client ids of a worker's two sessions, without the client id prefix.
///
/// No two workers share one: the control session of `w` is named `w-control`, so the intake session of a worker
/// `w-control` has a name that no worker can have.
package enum SessionName {
  private static let controlSuffix = "-control"
  private static let intakeSuffix = ":intake"

  /// The session that receives requests.
  package static func intake(of worker: WorkerID) -> String { intake(of: worker.text) }

  /// The session for everything else.
  package static func control(of worker: WorkerID) -> String { worker.text + controlSuffix }

  package static func intake(of worker: String) -> String {
    worker.hasSuffix(controlSuffix) ? worker + intakeSuffix : worker
  }

  /// The worker whose control session has the name that the intake session of `worker` had before version 0.2; `nil` if
  /// there is none.
  package static func namesake(of worker: String) -> String? {
    worker.hasSuffix(controlSuffix) ? String(worker.dropLast(controlSuffix.count)) : nil
  }
}
