package import Jobs
import Logging
private import Synchronization
package import Volume

/// What runs beside a worker's waiting and its job: results are tried again that the broker did not take.
final class Redelivery: Sendable {
  /// One look tries at most so many.
  package static let most = 64

  private let task = Mutex<Task<Void, Never>?>(nil)

  /// Runs `body`, unless a run of it has not ended yet.
  package func begin(_ body: @escaping @Sendable () async -> Void) {
    task.withLock { task in
      guard task == nil else { return }
      task = Task { [self] in
        await body()
        self.task.withLock { $0 = nil }
      }
    }
  }

  /// Waits until what runs is done, but not for a broker that is gone.
  package func end() async {
    let deadline = ContinuousClock.now + .milliseconds(500)
    while task.withLock({ $0 != nil }), ContinuousClock.now < deadline {
      try? await Task.sleep(for: .milliseconds(5))
    }
  }
}

/// Results that the broker does not take while all is well with the connection: its rights (ACL), its limits, a quota.
///
/// The job is done, so its claim goes; the result is put aside on the volume, and any worker of the same kind publishes it when
/// the broker takes it. No job waits for that.
extension Worker {
  /// Puts a result aside, durably. The next try comes when it is time.
  package func putAside(
    _ message: ResultMessage, of id: JobID, answering envelope: Envelope, ending: JobEvent, _ refusal: Undeliverable
  ) throws {
    try ledger.undelivered.put(UndeliveredResult(message, answering: envelope, ending: ending, refusal), of: id)
    tell(refusal, id, envelope, attempt: message.attempt, again: UndeliveredName.delays.first)
  }

  /// Tries what is due, beside whatever comes next.
  func redeliver() throws {
    guard ledger.filter != nil else { return }
    let due = try ledger.undelivered.due()
    guard !due.isEmpty else { return }
    redelivery.begin {
      for name in due.prefix(Redelivery.most) where !self.isLeaving { await self.deliverAgain(name) }
    }
  }

  private func deliverAgain(_ name: UndeliveredName) async {
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
    await source.publish(result.ending)
  }

  private func tell(_ refusal: Undeliverable, _ id: JobID, _ envelope: Envelope, attempt: Int?, again: Duration) {
    logger.warning(
      "result not delivered: \(refusal); next try in \(again.components.seconds) s", metadata: ["job": "\(id)"])
    var entry = AuditEntry(.undelivered, id: id, of: envelope)
    (entry.attempt, entry.error) = (attempt, "\(refusal)")
    ledger.audit.note(entry, logger)
  }

  /// A newer result of `id` is about to be published, or this very one was: an older one must not come after it.
  func withdrawUndelivered(_ id: JobID) async throws {
    guard ledger.filter != nil, try await ledger.undelivered.withdraw(id) > 0 else { return }
    logger.info("a result that was put aside is replaced by a newer one", metadata: ["job": "\(id)"])
    ledger.audit.note(AuditEntry(.replaced, id: id), logger)
  }
}
