import Synchronization

/// Goes once through what every job needs before its first step, in memory only, while the worker has nothing to do.
///
/// What a type is made of Swift finds out when the type is first used. For a process that has but one job each use is the
/// first; done ahead, it is not waited for.
extension Worker {
  private static let hasRehearsed = Atomic(false)

  /// Does it if this process has not.
  func rehearseOnce() {
    if !Worker.hasRehearsed.exchange(true, ordering: .relaxed) { rehearse() }
  }

  func rehearse() {
    let request = #"{"id":"rehearsal","steps":["true"],"env":{"A":"b"},"timeout":1}"#
    var envelope = Envelope(payload: request, topic: "rehearsal", requestId: RequestID("rehearsal"))
    envelope.correlationData = [0]
    guard let id = try? JobID("rehearsal"), let read = try? JobRequest(payload: Array(request.utf8)) else { return }
    _ = try? read.definition { () throws(InvalidJob) in nil }
    let record = ClaimRecord(
      id: id, attempt: 1, worker: ledger.worker.id.text, process: ledger.worker.process, run: "", filter: ledger.filter,
      envelope: envelope)
    _ = try? record.encoded()
    ledger.audit.rehearse(AuditEntry(.claimed, id: id, of: envelope))
    _ = try? JobEvent(event: .accepted, id: id, requestId: envelope.requestId, workerId: "", attempt: 1).encoded()
    _ = envelope.digest
  }
}
