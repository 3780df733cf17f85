import Jobs
import MQTT
import Volume

extension Submission {
  /// The outcome of a withdrawal.
  package enum Withdrawal: Sendable {
    /// No worker will run it.
    case withdrawn
    /// Its worker was asked to end it; the result follows.
    case canceled
    /// The broker has the request: the worker that takes it answers it as canceled.
    case marked
    /// The broker has the request, which cannot be taken back: a worker will run it.
    case queued
  }

  /// Withdraws the job as far as possible; `upload` is its folder on the volume. Throws ``MQTTError`` and
  /// ``VolumeError``.
  package func withdraw(_ upload: JobUpload?) async throws -> Withdrawal {
    close()
    if attempt == 0, let directory, try await reject(in: directory) {
      _ = try await onThread { try upload?.withdraw() }
      return .withdrawn
    }
    if attempt == 0, let outcome = try await withdrawUntaken(upload) { return outcome }
    // Its worker may be dead: then the next one answers it as canceled.
    _ = try? await markAsCanceled()
    try await client.publish(Message(topic: topics.cancellation(of: request.id), payload: []))
    return .canceled
  }

  /// Withdraws a request that no worker is known to have; `nil` if a worker has it.
  private func withdrawUntaken(_ upload: JobUpload?) async throws -> Withdrawal? {
    // The broker may send it to a worker at any time, also when the id has another folder.
    let mark = mayBeTaken ? try await markAsCanceled() : nil
    if let upload {
      if try await onThread({ try upload.withdraw() }) { return .withdrawn }
    } else if !mayBeTaken {
      return .withdrawn
    }
    guard let directory, mark != nil else { return upload == nil ? .queued : nil }
    // A worker may have claimed it before the mark was there.
    let holder = try await onThread { [request] in try JobRecords(directory).claims(of: request.id).last }
    return holder?.envelope.requestId == request.requestID ? nil : .marked
  }

  /// Returns `nil` without a volume.
  private func markAsCanceled() async throws -> [CancelMark]? {
    guard let directory else { return nil }
    return try await onThread { [request] in
      try CancelMark.put(request.id, of: request.requestID.text, by: "its sender", in: directory)
    }
  }

  /// Rejects the request, if it waits for approval.
  private func reject(in directory: JobsDirectory) async throws -> Bool {
    try await onThread { [key = request.requestID] in
      let store = ApprovalStore(directory)
      guard let parked = try store.parked().first(where: { $0.envelope.requestId == key }) else { return false }
      return try store.decide(
        Approval(.rejected, by: "its sender", reason: "withdrawn", requestDigest: parked.envelope.digest), on: parked)
    }
  }
}
