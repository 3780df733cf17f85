import Steps
import Jobs
import Logging
import Synchronization
import Volume

/// Publishes answers. A result that the broker does not take while all is well with the connection (its rights, its limits, a quota) is
/// put aside on the volume; any worker of the same kind publishes it when the broker takes it, and no job waits for that.
struct Outbox: Sendable {
  let ledger: Ledger
  let source: any JobSource
  let stop: StopRequest
  let grace: Duration
  let logger: Logger

  /// Waits for the result to arrive for as long as it takes; once the worker is asked to stop, for the grace.
  ///
  /// Throws ``Undeliverable`` if the broker does not take this one, ``Unpublished`` if there is no connection any more, and
  /// ``Superseded`` if another worker answers for the job.
  func publish(_ message: ResultMessage, answering envelope: Envelope) async throws {
    do {
      try await withTasks([{ try? await giveUpAfterGrace() }]) {
        try await source.publish(message, answering: envelope)
      }
    } catch let refusal as Undeliverable {
      throw refusal
    } catch {
      if stop.reason == .superseded { throw Superseded() }
      throw Unpublished(cause: error)
    }
  }

  private func giveUpAfterGrace() async throws {
    await stop.raised()
    try Task.checkCancellation()
    // A canceled job's result is worth as much waiting as any other.
    while !stop.isShutdown, stop.level < .kill { try await Task.sleep(for: .milliseconds(200)) }
    try await Task.sleep(for: grace)
    await source.giveUp()
  }

  /// Publishes the result again that a request was answered with before.
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
      return try putAside(message, of: stored.jobId, answering: request.envelope, ending: ending, refusal)
    }
    var entry = AuditEntry(.answered, id: stored.jobId, of: request.envelope, signedBy: request.keyID)
    (entry.status, entry.attempt) = (stored.status.rawValue, stored.attempt)
    ledger.audit.note(entry, logger)
  }

  /// Answers a request that is not run.
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
      // There is no result to keep, and the request must not come again and again.
      logger.warning("the rejection cannot be published: \(refusal)", metadata: ["job": "\(request.id)"])
    }
    source.publish(
      JobEvent(event: .rejected, id: request.id, requestId: key, workerId: worker, error: reason.description))
  }

  /// Says that somebody sent another request for a job that is being worked on.
  func tellDuplicate(_ request: Request) async {
    logger.notice("the job is being worked on already", metadata: ["job": "\(request.id)"])
    ledger.audit.note(
      AuditEntry(.duplicate, id: request.id, of: request.envelope, signedBy: request.keyID), logger)
    source.publish(
      JobEvent(
        event: .duplicate, id: request.id, requestId: request.envelope.requestId, workerId: ledger.worker.id.text))
  }

  // MARK: Undelivered results

  /// Puts a result aside, durably. The next try comes when it is time.
  func putAside(
    _ message: ResultMessage, of id: JobID, answering envelope: Envelope, ending: JobEvent, _ refusal: Undeliverable
  ) throws {
    try ledger.undelivered.put(UndeliveredResult(message, answering: envelope, ending: ending, refusal), of: id)
    tell(refusal, id, envelope, attempt: message.attempt, again: UndeliveredName.delays.first)
  }

  /// Withdraws an older result of `id` that was put aside: a newer one is about to be published, or this very one was.
  func withdraw(_ id: JobID) async throws {
    guard ledger.filter != nil, try await ledger.undelivered.withdraw(id) > 0 else { return }
    logger.info("a result that was put aside is replaced by a newer one", metadata: ["job": "\(id)"])
    ledger.audit.note(AuditEntry(.replaced, id: id), logger)
  }

  /// Tries one of those again that are due.
  func deliverAgain(_ name: UndeliveredName) async {
    do {
      let taken = try ledger.undelivered.take(name) { logger.warning("\($0)", metadata: ["job": "\(name.id)"]) }
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

/// Tries undelivered results again beside a worker's waiting and its job, one round of them at a time.
final class Redelivery: Sendable {
  /// A round tries at most so many.
  private static let most = 64

  private let task = Mutex<Task<Void, Never>?>(nil)

  /// Begins a round over `due`, unless one has not ended yet.
  func begin(_ due: [UndeliveredName], _ deliver: @escaping @Sendable (UndeliveredName) async -> Void) {
    guard !due.isEmpty else { return }
    task.withLock { task in
      guard task == nil else { return }
      task = Task(executorPreference: TaskThread("redelivery")) { [self] in
        for name in due.prefix(Redelivery.most) where !Task.isCancelled { await deliver(name) }
        self.task.withLock { $0 = nil }
      }
    }
  }

  /// Waits until the round is done, but not for a broker that is gone.
  func end() async {
    guard let round = task.withLock({ $0 }) else { return }
    await wait(atMost: .milliseconds(500)) {
      await withTaskCancellationHandler {
        await round.value
      } onCancel: {
        round.cancel()
      }
    }
  }
}

/// A job's result stands on the volume and could not be published; whichever worker can does it later.
package struct Unpublished: Error, CustomStringConvertible {
  /// The source's error.
  package let cause: any Error

  /// A sentence for the user.
  package var description: String {
    "the result is kept on the volume but could not be published: \(cause); a worker tries again"
  }
}
