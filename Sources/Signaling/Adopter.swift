import Jobs
import Logging
import MQTT
import Signing
import Steps
import Volume

/// Empties the sessions of members that are gone: their share of the group's messages would wait there until the
/// session expires, and then be lost.
struct Adopter: Sendable {
  package let options: SessionOptions
  package let ledger: Ledger
  package let control: Control
  package let reader: RequestReader
  package let stop: StopRequest
  package let logger: Logger

  /// Adopts every departed member of this worker's kind, until a stop is asked for.
  func adoptDeparted(broker: String) async throws {
    for member in try ledger.departedMembers(at: broker) {
      guard !stop.isShutdown else { return }
      guard try mayEmpty(member), let adoption = try ledger.members.adopt(member) else { continue }
      await adopt(adoption)
    }
  }

  /// Takes over what this worker's own session still holds of another filter, or of another client id, which it was started
  /// with before.
  func adoptFormerSelf(_ member: Member) async throws {
    guard try mayEmpty(member) else {
      return logger.notice("what the client id \(member.clientId) still holds is left to whoever bears it")
    }
    try await empty(member)
  }

  /// Whether the client id is that of a worker with the prefix that this one has. What a member's file says is not believed:
  /// it could be anybody's.
  private func mayEmpty(_ member: Member) throws -> Bool {
    let prefix = options.clientID.dropLast(SessionName.intake(of: ledger.worker.id).count)
    if member.clientId == prefix + SessionName.intake(of: member.worker) { return true }
    // Version 0.1 called it as another worker's second session, which must not be cut off if there is one.
    guard member.clientId == prefix + member.worker, let name = SessionName.namesake(of: member.worker),
      let other = WorkerID(name, host: "")
    else { return false }
    return try ledger.members.member(other) == nil
  }

  private func adopt(_ adoption: Adoption) async {
    let member = adoption.member
    do {
      // What is not acknowledged stays with the broker.
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

  /// Connects with the member's client id, leaves its group, and puts all that is queued into the waiting room, until a
  /// round trip to the broker brings nothing more. Then the session is ended for good.
  private func empty(_ member: Member) async throws {
    var options = options
    options.clientID = member.clientId
    options.start = .resume
    options.sessionExpiry = 300
    options.receiveMaximum = 20
    let filter = try TopicFilter(member.filter)
    let handover = Handover(
      ledger: ledger, room: ledger.waitingRoom(of: member.filter), control: control, reader: reader, logger: logger)
    let session = try Session(options, giveUpAfter: .seconds(10), logger: logger)
    let drain = Drain(session, SessionEpoch(clientID: member.clientId, name: member.epoch ?? ""), handover)
    do {
      try await session.connected()
      repeat {
        drain.mark()
        try await session.unsubscribe(filter)
        try drain.check()
      } while drain.hasMovedSinceMark
    } catch {
      session.drop()
      throw error
    }
    await session.disconnect(sessionExpiry: 0)
    if options.version == .v311 {
      // 3.1.1 has no expiry; a clean connection ends the session.
      options.start = .clean
      try await Session.withSession(options, giveUpAfter: .seconds(10), logger: logger) { _ in }
    }
    control.nudge()
  }
}
