package import Jobs
import MQTT

/// The workers at a broker, by their statuses and answers.
///
/// Ages are differences on one clock each, the broker's or the worker's, so no two clocks need to agree. With MQTT
/// 3.1.1, which has no message expiry, they count from the arrival here.
package struct Roster: Sendable {
  /// One worker.
  package struct Entry: Sendable {
    /// The last status.
    package internal(set) var status: WorkerStatus
    /// Whether it answered the health-check.
    package internal(set) var hasAnswered = false
    /// The start of its state; `nil` if unknown.
    package internal(set) var began: ContinuousClock.Instant?
    /// When its last message was published.
    var lastMessage: ContinuousClock.Instant

    /// Whether it is alive: it has a connection, and its heartbeat is not overdue.
    package func isAlive(at now: ContinuousClock.Instant) -> Bool {
      status.state != .offline && !isOverdue(at: now)
    }

    /// The broker drops an expired status without a message to current subscribers.
    func isOverdue(at now: ContinuousClock.Instant) -> Bool {
      status.interval.map { now - lastMessage > $0 * 3 + .seconds(1) } ?? false
    }
  }

  /// The workers by id.
  package private(set) var entries: [String: Entry] = [:]
  /// Counts workers that came, left, or answered for the first time: not heartbeats, of which a large fleet always sends
  /// some.
  private(set) var news = 0
  /// Whether a health-check was sent; the account may lack the right.
  package internal(set) var isAsked = true

  /// An empty roster.
  init() {}

  /// The live workers that did not answer.
  var silent: [String] {
    let now = ContinuousClock.now
    return entries.filter { $0.value.isAlive(at: now) && !$0.value.hasAnswered }.map(\.key)
  }

  /// Adds a message from a topic of workers, and returns the worker whose entry it changed. Ignores other messages, and
  /// those that name another worker than their topic.
  @discardableResult
  mutating func take(_ message: Message, at now: ContinuousClock.Instant = .now) -> String? {
    guard let id = Roster.worker(of: message.topic) else { return nil }
    let before = entries[id.text]?.hasAnswered
    defer { if entries[id.text]?.hasAnswered != before { news += 1 } }
    return take(message, of: id, at: now)
  }

  /// The worker whose topic this is.
  private static func worker(of topic: String) -> WorkerID? {
    let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
    return levels.count == 3 && levels[0] == "workers" ? WorkerID(String(levels[1]), host: "") : nil
  }

  private mutating func take(_ message: Message, of id: WorkerID, at now: ContinuousClock.Instant) -> String? {
    switch message.topic.split(separator: "/").last {
    case "status" where message.payload.isEmpty:
      return entries.removeValue(forKey: id.text) == nil ? nil : id.text
    case "status":
      guard let status = WorkerStatus(payload: message.payload), status.workerId == id.text else { return nil }
      take(status, message.properties.messageExpiry, now)
    case "answers":
      guard let answer = CommandAnswer(payload: message.payload), answer.workerId == id.text, answer.state != nil else {
        return nil
      }
      take(answer, of: id, now)
    default: return nil
    }
    return id.text
  }

  private mutating func take(_ status: WorkerStatus, _ expiry: UInt32?, _ now: ContinuousClock.Instant) {
    // A worker that has left for good is not listed.
    guard status.reason != WorkerStatus.Absence.left.rawValue || status.state != .offline else {
      entries[status.workerId] = nil
      return
    }
    var kept: Duration?
    if let expiry, let lifetime = status.lifetime { kept = .seconds(lifetime > expiry ? lifetime - expiry : 0) }
    // A Last Will was written long before it was published.
    let age = status.since == nil ? kept : (kept ?? .zero) + (status.ageWhenSent ?? .zero)
    let hasAnswered = entries[status.workerId]?.hasAnswered == true && status.state != .offline
    entries[status.workerId] = Entry(
      status: status, hasAnswered: hasAnswered, began: age.map { now - $0 }, lastMessage: now - (kept ?? .zero))
  }

  private mutating func take(_ answer: CommandAnswer, of id: WorkerID, _ now: ContinuousClock.Instant) {
    var entry = entries[id.text] ?? Entry(status: WorkerStatus(answer.state ?? .idle, of: id), lastMessage: now)
    entry.hasAnswered = true
    entry.lastMessage = max(entry.lastMessage, now)
    entries[id.text] = entry
  }
}

extension WorkerStatus {
  /// The age of its state when it was published, by the worker's own clock.
  fileprivate var ageWhenSent: Duration? {
    guard let since, let time, let began = Timestamp(since), let sent = Timestamp(time) else { return nil }
    return max(.zero, .milliseconds(sent.millisecondsSince1970) - .milliseconds(began.millisecondsSince1970))
  }

  /// The heartbeat interval; `nil` for a value that no worker accepts.
  fileprivate var interval: Duration? {
    guard let heartbeat, (1...86400).contains(heartbeat) else { return nil }
    return .seconds(heartbeat)
  }

  /// The message expiry in seconds.
  fileprivate var lifetime: UInt32? {
    switch state {
    case .offline: reason.flatMap { Absence(rawValue: $0) }.map { WorkerStatus.Lifetime.of($0) }
    case .idle, .busy, .halted: interval.map { WorkerStatus.Lifetime.live($0) }
    }
  }
}
