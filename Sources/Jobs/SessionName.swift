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
