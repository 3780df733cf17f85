import Jobs
import Logging
import Steps
import Volume

/// Publishes results and rejections.
///
/// The broker may refuse a result although the connection works: because of the account's rights, a limit or a quota.
/// The worker then puts the result aside on the volume as an undelivered result. Any worker of the same kind publishes
/// it later, and no job waits for that.
struct Outbox: Sendable {
  let ledger: Ledger
  let source: any JobSource
  let stop: StopRequest
  let grace: Duration
  let logger: Logger

  /// Publishes a result and waits until it arrives. There is no time limit until the worker is asked to stop; then the
  /// limit is the grace.
  ///
  /// Throws ``Undeliverable`` if the broker does not take this result, ``Unpublished`` if the connection is gone, and
  /// ``Superseded`` if another worker answers for the job.
  func publish(_ message: ResultMessage, answering envelope: Envelope) async throws {
    do {
      let arrival: Void? = try await wait(
        for: { [source] in try await source.publish(message, answering: envelope) }, until: graceAfterStop)
      if arrival == nil { throw NoAnswer() }
    } catch let refusal as Undeliverable {
      throw refusal
    } catch {
      if stop.wasRaised(for: .superseded) { throw Superseded() }
      throw Unpublished(cause: error)
    }
  }

  private struct NoAnswer: Error, CustomStringConvertible {
    var description: String { "the broker did not answer within the grace after the worker was asked to stop" }
  }

  private func graceAfterStop() async throws {
    await stop.raised()
    // A cancellation ends the job, not the worker: its result may wait like any other.
    while !stop.wasRaised(for: .shutdown, .superseded, .lapsed) { try await Task.sleep(for: .milliseconds(200)) }
    try await Task.sleep(for: grace)
  }

  /// Publishes the stored result of a request that was answered before.
  func answerAgain(_ request: Request, _ stored: JobResult) async throws {
    logger.info("the request was answered before; publishing its result again", metadata: ["job": "\(stored.jobId)"])
    let message = ResultMessage(result: stored, tail: nil)
    do {
      try await publish(message, answering: request.envelope)
      try await withdraw(stored.jobId)
    } catch let refusal as Undeliverable {
      var ending = JobEvent(
        event: .completed, id: stored.jobId, requestId: request.envelope.requestId, workerId: ledger.worker.id.text,
        attempt: stored.attempt)
      (ending.status, ending.exitCode) = (stored.status.rawValue, stored.exitCode)
      return try putAside(
        message, of: stored.jobId, for: request.filter, answering: request.envelope, ending: ending, refusal)
    }
    var entry = AuditEntry(.answered, id: stored.jobId, of: request.envelope, signedBy: request.keyID)
    (entry.status, entry.attempt) = (stored.status.rawValue, stored.attempt)
    ledger.audit.note(entry, logger)
  }

  /// Tells idle workers of `filter` that something waits on the volume.
  func tellWaiting(_ filter: String) { source.tellWaiting(filter) }

  /// Publishes the rejection of a request.
  func reject(_ request: Request, _ reason: InvalidInput) async throws {
    logger.warning("rejected: \(reason)", metadata: ["job": "\(request.id)"])
    var entry = AuditEntry(.rejected, id: request.id, of: request.envelope, signedBy: request.keyID)
    entry.error = reason.description
    ledger.audit.note(entry, logger)
    let (worker, key) = (ledger.worker.id.text, request.envelope.requestId)
    do {
      try await publish(
        ResultMessage.rejected(id: request.id, requestId: key, error: reason.description, workerID: worker),
        answering: request.envelope)
    } catch let refusal as Undeliverable {
      // A rejection leaves no result on the volume to retry. The request is settled anyway, or it would come again and
      // again.
      logger.warning("the rejection cannot be published: \(refusal)", metadata: ["job": "\(request.id)"])
    }
    ledger.removeCancelMarks(of: request.envelope, request.id)
    source.publish(
      JobEvent(event: .rejected, id: request.id, requestId: key, workerId: worker, error: reason.description))
  }

  /// Publishes that another request came for a job that a worker already runs.
  func tellDuplicate(_ request: Request) async {
    logger.notice("the job is being worked on already", metadata: ["job": "\(request.id)"])
    ledger.audit.note(
      AuditEntry(.duplicate, id: request.id, of: request.envelope, signedBy: request.keyID), logger)
    source.publish(
      JobEvent(
        event: .duplicate, id: request.id, requestId: request.envelope.requestId, workerId: ledger.worker.id.text))
  }

  // MARK: Undelivered results

  /// Puts a result aside durably. A worker of `filter` tries it again after the first of the delays.
  func putAside(
    _ message: ResultMessage, of id: JobID, for filter: String?, answering envelope: Envelope, ending: JobEvent,
    _ refusal: Undeliverable
  ) throws {
    try ledger.serving(filter).undelivered.put(
      UndeliveredResult(message, answering: envelope, ending: ending, refusal), of: id)
    tell(refusal, id, envelope, attempt: message.attempt, again: UndeliveredName.delays.first)
  }

  /// Withdraws a result of `id` that was put aside: a newer result is about to be published, or this one was.
  func withdraw(_ id: JobID) async throws {
    var count = 0
    for filter in ledger.filters { count += try await ledger.serving(filter).undelivered.withdraw(id) }
    guard count > 0 else { return }
    logger.info("a result that was put aside is replaced by a newer one", metadata: ["job": "\(id)"])
    ledger.audit.note(AuditEntry(.replaced, id: id), logger)
  }

  /// Tries to publish an undelivered result of the workers of `filter` that is due.
  func deliverAgain(_ name: UndeliveredName, of filter: String) async {
    do {
      let taken = try ledger.serving(filter).undelivered.take(name) {
        logger.warning("\($0)", metadata: ["job": "\(name.id)"])
      }
      guard let (held, result) = taken, held.isHeld else { return }
      do {
        try await source.publish(result.message, answering: result.envelope)
        try held.remove()
        await tellDelivered(result, name.id)
      } catch let refusal as Undeliverable {
        try postpone(held, result, refusal)
      } catch {
        try held.giveBack()
      }
    } catch {
      logger.warning("a result that was put aside cannot be tried: \(error)", metadata: ["job": "\(name.id)"])
    }
  }

  private func postpone(_ held: HeldResult, _ result: UndeliveredResult, _ refusal: Undeliverable) throws {
    let next = try held.giveBack(
      UndeliveredResult(result.message, answering: result.envelope, ending: result.ending, refusal))
    tell(refusal, next.id, result.envelope, attempt: result.message.attempt, again: next.delay)
  }

  private func tellDelivered(_ result: UndeliveredResult, _ id: JobID) async {
    logger.notice("the result that was put aside is published", metadata: ["job": "\(id)"])
    var entry = AuditEntry(.published, id: id, of: result.envelope)
    (entry.status, entry.attempt, entry.exitCode) =
      (result.message.status.rawValue, result.message.attempt, result.message.exitCode)
    entry.from = result.message.workerId == ledger.worker.id.text ? nil : result.message.workerId
    ledger.audit.note(entry, logger)
    source.publish(result.ending)
  }

  private func tell(_ refusal: Undeliverable, _ id: JobID, _ envelope: Envelope, attempt: Int?, again: Duration) {
    logger.warning(
      "result not delivered: \(refusal); next try in \(again.components.seconds) s", metadata: ["job": "\(id)"])
    var entry = AuditEntry(.undelivered, id: id, of: envelope)
    (entry.attempt, entry.error) = (attempt, "\(refusal)")
    ledger.audit.note(entry, logger)
  }
}
