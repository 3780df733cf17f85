import JobWorker
import MQTT
import Synchronization

/// This worker's place among the members of its kind. A clean session ends with its connection, and needs none.
final class Attendance: Sendable {
  let broker: String
  private let options: SessionOptions
  private let filter: TopicFilter
  private let ledger: Ledger
  private let membership = Mutex<Membership?>(nil)

  init(_ options: SessionOptions, filter: TopicFilter, ledger: Ledger) {
    self.options = options
    self.filter = filter
    self.ledger = ledger
    broker = "\(options.host):\(options.port)"
  }

  /// Two processes with one id would take the session from one another for ever.
  func checkIDIsFree() async throws {
    guard try await ledger.members.isInUse(ledger.worker.id) else { return }
    throw MQTTError.clientIDInUse(
      "worker id '\(ledger.worker.id)' is in use by another process; give each worker its own --id, or use %h in it")
  }

  /// What the session of this worker's id was subscribed to when that was something else.
  var formerSelf: Member? {
    get throws {
      guard let member = try ledger.members.member(ledger.worker.id), member.broker == broker,
        member.clientId == options.clientID, member.filter != filter.text
      else { return nil }
      return member
    }
  }

  func begin() throws {
    guard options.start == .resume else { return }
    let member = Member(
      worker: ledger.worker.id.text, clientId: options.clientID, filter: filter.text, broker: broker)
    let joined = try ledger.members.join(member)
    membership.withLock { $0 = joined }
  }

  func end(_ state: Member.State) throws {
    let membership = membership.withLock { membership in
      defer { membership = nil }
      return membership
    }
    try membership?.end(state)
  }
}
