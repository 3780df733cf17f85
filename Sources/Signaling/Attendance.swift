public import JobWorker
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

extension Ledger {
  /// Throws ``MQTTError/clientIDInUse(_:)`` when another live process bears this worker's id. Comes before any session is
  /// opened with it: the broker would take the session from the other process at once. A process that is not known to have
  /// ended is watched for a lease, unless `stop` is raised.
  public func checkIDIsFree(until stop: StopRequest) async throws {
    guard try await members.isInUse(worker.id, while: { stop.level == .none }) else { return }
    throw MQTTError.clientIDInUse(
      "worker id '\(worker.id)' is in use by another process; give each worker its own --id, or use %h in it")
  }
}
