import Jobs
import Logging
import MQTT
import Signing
import Steps
import Synchronization
import Volume

/// Empties the sessions of members that are gone: their share of the group's messages would wait there until the
/// session expires, and then be lost.
struct QueueTakeover: Sendable {
  let options: SessionOptions
  let ledger: Ledger
  let control: ControlSession
  let reader: RequestReader
  let stop: StopRequest
  let logger: Logger

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

  /// Connects with the member's client id, leaves its group, and puts all that is queued into the queue of deferred requests, until a
  /// round trip to the broker brings nothing more. Then the session is ended for good.
  private func empty(_ member: Member) async throws {
    var options = options
    options.clientID = member.clientId
    options.start = .resume
    options.sessionExpiry = 300
    options.receiveMaximum = 20
    let filter = try TopicFilter(member.filter)
    let deferral = RequestDeferral(
      ledger: ledger, queue: ledger.deferredQueue(of: member.filter), control: control, reader: reader, logger: logger)
    let session = try Session(options, giveUpAfter: .seconds(10), logger: logger)
    let drain = Drain(session, SessionEpoch(clientID: member.clientId, name: member.epoch ?? ""), deferral)
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

/// Defers all requests that arrive on a session.
private final class Drain: Sendable {
  private struct State {
    var handled = 0
    var mark = 0
    var failure: (any Error)?
  }

  private let state = Mutex(State())
  private let epoch: SessionEpoch

  /// `epoch` is the one that the session's owner knew: what it was sent before comes again.
  init(_ session: Session, _ epoch: SessionEpoch, _ deferral: RequestDeferral) {
    self.epoch = epoch
    Task(executorPreference: TaskThread("takeover")) { [self] in
      for await event in session.events {
        switch event {
        case .delivery(let delivery): await handle(delivery, session, deferral)
        // The owner came back: the session is its again, and must not be taken a second time.
        case .connectionLost(let error), .failed(let error): stop(session, error)
        case .connected: break
        }
      }
    }
  }

  private func handle(_ delivery: Delivery, _ session: Session, _ deferral: RequestDeferral) async {
    state.withLock { $0.handled += 1 }
    do {
      // What lies in the socket of a connection that is over is the owner's again.
      let outcome = try await deferral.settle(delivery, epoch) { delivery.isCurrent }
      guard case .settled = outcome else { return stop(session, MQTTError.closed) }
      await delivery.acknowledge()
    } catch {
      stop(session, error)
    }
  }

  private func stop(_ session: Session, _ error: any Error) {
    state.withLock { $0.failure = $0.failure ?? error }
    session.drop()
  }

  /// Remembers how much has arrived.
  func mark() {
    state.withLock { $0.mark = $0.handled }
  }

  /// Whether something arrived since.
  var hasMovedSinceMark: Bool {
    state.withLock { $0.handled != $0.mark }
  }

  /// Throws what ended the drain.
  func check() throws {
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }
}
