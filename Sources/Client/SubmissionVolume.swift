import Jobs
import Volume

/// What a submission reads and leaves on the volume beside the job.
extension Submission {
  /// Whoever canceled the job before it was sent did not mean this request. Without the right to write that, a worker
  /// answers it as canceled, and says by whom.
  func exemptFromEarlierCancellation() async {
    guard let directory else { return }
    try? await onThread { [request] in
      try CancelMark.exempt(request.id, request.requestID.text, by: "its sender", in: directory)
    }
  }

  /// Why no worker of the volume takes a job now; `nil` if they may, or if this host does not have the volume.
  package func haltReason() async -> String? {
    guard let directory else { return nil }
    return try? await onThread { directory.haltReason }
  }
}
