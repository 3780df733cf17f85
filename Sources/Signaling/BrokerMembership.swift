import Jobs
import MQTT
package import Steps
import Synchronization
import Volume

/// This worker's entry among the members of one topic filter. A clean session ends with its connection, so it needs no entry.
final class BrokerMembership: Sendable {
  let broker: String
  private let options: SessionOptions
  private let filter: TopicFilter
  private let mark: String?
  private let ledger: Ledger
  private let membership = Mutex<Membership?>(nil)
  private let session = Mutex(Epoch())

  private let hadOtherSessions = Mutex(false)

  private struct Epoch {
    var name = SessionEpoch.newName()
    /// Whether a connection of this process, or of an earlier one, may have used it.
    var isUsed = false
  }

  init(_ options: SessionOptions, filter: TopicFilter, _ mark: String?, ledger: Ledger) {
    self.options = options
    self.filter = filter
    self.mark = mark
    self.ledger = ledger
    broker = "\(options.host):\(options.port)"
  }

  /// This worker's last session, as its member file describes it.
  var former: Member? {
    get throws { try ledger.members.member(ledger.worker.id, mark) }
  }

  /// Whether `former` had another client id or another filter at this broker.
  func isAnotherSession(_ former: Member) -> Bool {
    former.broker == broker && (former.clientId != options.clientID || former.filter != filter.text)
  }

  /// Joins the members, with the epoch of `former` if that is the same session.
  func begin(after former: Member?) throws {
    guard options.start == .resume else { return }
    let marks = ledger.filters.dropFirst().map(SessionName.mark)
    var member = Member(
      worker: ledger.worker.id.text, mark: mark, clientId: options.clientID, filter: filter.text, broker: broker,
      marks: mark == nil ? marks : nil)
    if mark == nil, let former {
      hadOtherSessions.withLock { $0 = former.marks.map { !Set($0).isSubset(of: marks) } ?? true }
    }
    if let former, former.isOfSameSession(as: member), let name = former.epoch {
      session.withLock { $0 = Epoch(name: name, isUsed: true) }
    }
    member.epoch = epoch.name
    let joined = try ledger.members.join(member)
    membership.withLock { $0 = joined }
  }

  /// The session as the broker has known it since the last connection.
  var epoch: SessionEpoch { SessionEpoch(clientID: options.clientID, name: session.withLock { $0.name }) }

  /// Notes that the broker accepted a connection. A session that the broker does not know has a new epoch. The epoch
  /// must be on the volume before a request of that session is claimed: the broker may send the request again to the
  /// next process of this worker.
  func connected(_ state: SessionState) throws {
    let name = session.withLock { session -> String? in
      defer { session.isUsed = true }
      guard case .new = state, session.isUsed else { return nil }
      session.name = SessionEpoch.newName()
      return session.name
    }
    if let name { try membership.withLock { $0 }?.renew(epoch: name) }
  }

  /// Whether an earlier process of this worker had sessions for topic filters that this one has not, or may have had.
  var hasFormerSessions: Bool { hadOtherSessions.withLock { $0 } }

  /// Whether another worker takes this one for dead, and its session over. A worker that stood still for longer than its
  /// lease comes back to that.
  var isAdopted: Bool { (try? membership.withLock { $0 }?.isAdopted) == true }

  func end(_ state: Member.State) throws {
    let membership = membership.withLock { membership in
      defer { membership = nil }
      return membership
    }
    try membership?.end(state)
  }
}

extension Ledger {
  /// Throws ``MQTTError/clientIDInUse(_:)`` when another live process has this worker's id. Call it before a session is
  /// opened with the id: the broker would take the session from the other process at once. A process that may still
  /// live is watched for a lease, unless `stop` is raised.
  package func checkIDIsFree(until stop: StopRequest) async throws {
    guard try await members.isInUse(worker.id, while: { stop.level == .none }) else { return }
    throw MQTTError.clientIDInUse(
      "worker id '\(worker.id)' is in use by another process; give each worker its own --id, or use %h in it")
  }

  /// Throws ``MQTTError/clientIDInUse(_:)`` when a live worker with another id has one of these client ids, because its
  /// prefix and its id give the same text. Ignores a member file whose client id does not fit its worker id: the file
  /// is forged.
  package func checkAreFree(_ clientIDs: [String], at broker: String, until stop: StopRequest) async throws {
    for other in try members.workers where other.text != worker.id.text {
      let names = [SessionName.intake(of: other), SessionName.control(of: other)]
      guard clientIDs.contains(where: { id in names.contains { id.hasSuffix($0) } }),
        let member = try members.member(other), member.broker == broker, member.clientId.hasSuffix(names[0])
      else { continue }
      let prefix = member.clientId.dropLast(names[0].count)
      guard let taken = names.map({ prefix + $0 }).first(where: clientIDs.contains),
        try await members.isInUse(other, while: { stop.level == .none })
      else { continue }
      throw MQTTError.clientIDInUse(
        "client id '\(taken)' is in use by worker '\(other)', which has another prefix; choose --client-id-prefix and --id "
          + "such that no two workers' client ids are the same, with or without '-control' behind them")
    }
  }
}
