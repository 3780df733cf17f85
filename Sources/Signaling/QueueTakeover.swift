import Jobs
import Logging
import MQTT
import Signing
import Steps
import Volume
import Worker

/// Empties the sessions of departed members. Their share of the group's messages would otherwise wait there until the
/// session expires, and then be lost.
struct QueueTakeover: Sendable {
  /// The options of the session for the worker's first topic filter.
  let options: SessionOptions
  let ledger: Ledger
  let control: ControlSession
  let reader: RequestReader
  let state: WorkerState
  let stop: StopRequest
  let logger: Logger

  /// Adopts every departed member of this worker's kind, until the worker is asked to stop.
  func adoptDeparted(broker: String) async throws {
    for member in try ledger.departedMembers(at: broker) {
      guard !stop.isShutdown else { return }
      guard try mayEmpty(member), let adoption = try ledger.members.adopt(member) else { continue }
      await adopt(adoption)
    }
  }

  /// Takes over the messages in this worker's former session, which had another filter or client id.
  func adoptFormerSelf(_ member: Member) async throws {
    guard try mayEmpty(member) else {
      return logger.notice(
        "what the broker keeps for the client id \(member.clientId) is left to the client of that id")
    }
    defer { state.decides(false) }
    try await empty(member)
  }

  /// Whether the member's client id is that of its worker with this worker's prefix. The member file alone is not
  /// trusted: it could name any client's session.
  private func mayEmpty(_ member: Member) throws -> Bool {
    let prefix = options.clientID.dropLast(SessionName.intake(of: ledger.worker.id).count)
    if member.clientId == prefix + SessionName.intake(of: member.worker, member.mark) { return true }
    // In version 0.1 the session had the same name as the second session of another worker. If there is such a worker,
    // its session must not be cut off.
    guard member.clientId == prefix + member.worker, let name = SessionName.namesake(of: member.worker),
      let other = WorkerID(name, host: "")
    else { return false }
    return try ledger.members.member(other) == nil
  }

  private func adopt(_ adoption: Adoption) async {
    let member = adoption.member
    do {
      // Messages that are not acknowledged stay with the broker.
      guard try await stop.unlessRaised({ try await empty(member) }) != nil else { throw MQTTError.closed }
      try adoption.complete()
      var entry = AuditEntry(.adopted)
      entry.from = member.worker
      ledger.audit.note(entry, logger)
      logger.notice("took over what was queued for worker \(member.worker), which is gone")
    } catch {
      logger.notice("the session of worker \(member.worker) is left as it is: \(error)")
      try? adoption.abandon()
    }
  }

  /// Connects with the member's client id, defers all messages in the session, unsubscribes from its group, and defers
  /// what still comes until a round trip to the broker brings no more. Then ends the session for good.
  private func empty(_ member: Member) async throws {
    var options = options
    options.clientID = member.clientId
    options.start = .resume
    options.sessionExpiry = 300
    options.receiveMaximum = 20
    let filter = try TopicFilter(member.filter)
    let deferral = RequestDeferral(
      ledger: ledger, filter: member.filter, control: control, reader: reader, logger: logger)
    let session = try Session(options, giveUpAfter: .seconds(10), logger: logger)
    // A long queue is no stall of this worker.
    let drain = QueueDrain(session, SessionEpoch(clientID: member.clientId, name: member.epoch ?? ""), deferral) {
      [state] in
      state.decides(true)
    }
    do {
      try await session.connected()
      // Some brokers discard the session's queue at UNSUBSCRIBE.
      try await drain.awaitQuiet(session, options.queueInterval)
      repeat {
        drain.mark()
        try await session.unsubscribe(filter)
        try drain.check()
      } while drain.hasMovedSinceMark
    } catch {
      session.drop()
      // The session says only that it was closed.
      throw drain.failure ?? error
    }
    await session.disconnect(sessionExpiry: 0)
    if options.version == .v311 {
      // MQTT 3.1.1 has no session expiry; a clean connection ends the session.
      options.start = .clean
      try await Session.withSession(options, giveUpAfter: .seconds(10), logger: logger) { _ in }
    }
    control.nudges.send(member.filter)
  }
}
