import Jobs
import Logging
import MQTT
import Signing
import Volume

/// Defers requests that this worker will not run itself, so that any worker of its kind can take them up. A delivery
/// may be acknowledged only after its request is deferred.
struct RequestDeferral: Sendable {
  let ledger: Ledger
  /// The topic filter that the requests were sent to: they wait for its workers.
  let filter: String
  let control: ControlSession
  let reader: RequestReader
  let logger: Logger

  enum Outcome: Sendable {
    /// The delivery may be acknowledged: its request is deferred, or must not run. The id is that of a deferred
    /// request.
    case settled(JobID?)
    /// It is not deferred: the delivery stays with the broker until this worker has decided about it.
    case kept
    /// The delivery's connection is gone, and its request was answered. If it was a repeat of that request, the broker
    /// sends it again.
    case outdated
  }

  /// Decides about `delivery`, which arrived on `session`. Awaits `mayDefer` before it writes a request.
  func settle(
    _ delivery: Delivery, _ session: SessionEpoch, mayDefer: @Sendable () async throws -> Bool
  ) async throws -> Outcome {
    let message = delivery.message
    guard control.topics.mayBeRequest(message) else { return .settled(nil) }
    var arrival: Arrival
    do {
      arrival = try Arrival(delivery, session, reader)
    } catch {
      await reject(delivery, error)
      return .settled(nil)
    }
    let (id, key) = (arrival.request.id, arrival.request.signature?.keyID)
    if let holder = try ledger.holder(of: id), !holder.isOfDryRun {
      if try !ledger.hasClaim(id, for: arrival.envelope.requestId) {
        ledger.audit.note(AuditEntry(.duplicate, id: id, of: arrival.envelope, signedBy: key), logger)
        control.publish(
          JobEvent(
            event: .duplicate, id: id, requestId: arrival.envelope.requestId, workerId: ledger.worker.id.text))
      }
      return .settled(nil)
    }
    guard try await mayDefer() else { return .kept }
    if !delivery.isCurrent {
      if try ledger.hasMovedAside(answerTo: arrival.envelope, id) { return .outdated }
      arrival.envelope.requestId = arrival.envelope.requestId.asRedelivered
    }
    try ledger.deferRequest(arrival.envelope, id, signedBy: key, for: filter) { delivery.isCurrent }
    logger.debug("deferred for an idle worker", metadata: ["job": "\(id)"])
    TestStopPoint.requestDeferred.reached()
    return .settled(id)
  }

  /// Publishes the rejection of a request.
  func reject(_ delivery: Delivery, _ reason: InvalidInput) async {
    logger.warning("rejected a request on '\(delivery.message.topic)': \(reason)")
    var entry = AuditEntry(.rejected, id: reason.id)
    (entry.topic, entry.error) = (delivery.message.topic, reason.description)
    entry.requestDigest = digestText(of: delivery.message.payload)
    ledger.audit.note(entry, logger)
    let properties = delivery.message.properties
    let envelope = Envelope(
      payload: "", topic: delivery.message.topic, requestId: RequestID(""), responseTopic: properties.responseTopic,
      correlationData: properties.correlationData)
    do {
      try await control.reject(reason, answering: envelope)
    } catch {
      logger.warning("the rejection cannot be published: \(error)")
    }
  }
}
