import Jobs
import Logging
import MQTT
import Signing
import Volume

/// Puts requests that this worker will not run itself where any worker of its kind can take them up, and only then lets
/// them be acknowledged.
struct Handover: Sendable {
  package let ledger: Ledger
  /// The waiting room of those who listen to the filter that the requests were sent to.
  package let room: DeferredQueue
  package let control: Control
  package let reader: RequestReader
  package let logger: Logger

  /// What became of a delivery.
  package enum Outcome: Sendable {
    /// It may be acknowledged: it lies in the waiting room, or needs no run.
    case settled(JobID?)
    /// It must stay with the broker.
    case kept
  }

  /// Decides about `delivery`, which arrived on `session`. `seat` is awaited before a ticket is written.
  func settle(
    _ delivery: Delivery, _ session: SessionEpoch, seat: @Sendable () async throws -> Seat
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
    if try ledger.isHeld(id) {
      if try !ledger.isHeld(id, for: arrival.envelope.requestId) {
        ledger.audit.note(AuditEntry(.duplicate, id: id, of: arrival.envelope, signedBy: key), logger)
        control.publish(
          JobEvent(
            event: .duplicate, id: id, requestId: arrival.envelope.requestId, workerId: ledger.worker.id.text))
      }
      return .settled(nil)
    }
    guard try await seat() == .free else { return .kept }
    if !delivery.isCurrent { arrival.envelope.requestId = arrival.envelope.requestId.asRedelivered }
    try ledger.audit.record(AuditEntry(.putDown, id: id, of: arrival.envelope, signedBy: key))
    try room.put(arrival.envelope, id)
    logger.debug("put down for an idle worker", metadata: ["job": "\(id)"])
    TestStopPoint.ticketWritten.reached()
    return .settled(id)
  }

  /// Tells the sender why its request is not run.
  package func reject(_ delivery: Delivery, _ reason: InvalidInput) async {
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

/// Whether there is room for one more ticket.
enum Seat: Sendable {
  case free, none
}
