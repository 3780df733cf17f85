import Client
import Jobs

/// A roster as a table and as JSON.
struct RosterTable {
  /// The line of one worker.
  struct Row {
    let worker: String
    let columns: [String]
    /// The values whose change makes a new line: not ages and figures.
    let stateText: String
    let json: String
  }

  let rows: [Row]
  let summary: String
  private let header: [String]

  init(_ roster: Roster, at now: ContinuousClock.Instant = .now) {
    let sorted = roster.entries.values.sorted { isBefore($0.status.workerId, $1.status.workerId) }
    let isAnyUrgent = sorted.contains { $0.status.topics != nil }
    header =
      [
        "WORKER", "STATE", "FOR", "JOB", "STEP", "HOST", "VERSION", "LOAD", "MEMORY", "FREE ON JOBS DIR",
        "FREE ON WORKSPACES",
      ]
      + (isAnyUrgent ? ["TOPICS"] : ["TOPIC", "GROUP"]) + ["NOTE"]
    rows = sorted.map { entry in
      let filter = FilterText(entry.status.topic ?? "")
      let topics =
        isAnyUrgent
        ? [entry.status.topics?.joined(separator: " ") ?? entry.status.topic] : [filter.topic, filter.group]
      return Row(entry, isAsked: roster.isAsked, topics: topics, now)
    }
    let states = WorkerStatus.State.allCases.compactMap { state -> String? in
      let count = sorted.count { $0.status.state == state }
      return count == 0 ? nil : "\(count) \(state.rawValue)"
    }
    let count = counted(sorted.count, "worker")
    let refusal = roster.isAsked ? "" : "; this account may not ask them: these are their last statuses"
    summary = (states.isEmpty ? count : "\(count): \(states.joined(separator: ", "))") + refusal
  }

  /// The table with its header; empty without workers.
  var text: String { rows.isEmpty ? "" : TextTable([header] + rows.map(\.columns)).text }

  /// All lines as one array.
  var json: String { "[\(rows.map(\.json).joined(separator: ",\n "))]" }
}

extension RosterTable.Row {
  /// `topics` is the column of the topics, if the table has it.
  init(_ entry: Roster.Entry, isAsked: Bool, topics: [String?], _ now: ContinuousClock.Instant) {
    let status = entry.status
    let isAlive = entry.isAlive(at: now)
    var notes = status.reason.map { [$0] } ?? []
    if let leaving = status.leaving { notes.append(leaving.note) }
    if status.state != .offline, !isAlive { notes.append("no heartbeat") }
    if isAlive, isAsked, !entry.hasAnswered { notes.append("no answer") }
    worker = status.workerId
    let age = entry.began.map { (now - $0).shortText }
    let load = status.load.map { "\(($0 * 100).rounded() / 100)" }
    let figures: [String?] = [
      load, status.memory.map(bytesText), status.jobsFree.map(bytesText), status.workspacesFree.map(bytesText),
    ]
    let state: [String?] = [
      status.workerId, status.state.rawValue, age, status.job, status.step.map(String.init), status.host,
      status.version,
    ]
    let all: [String?] = state + figures + topics + [notes.joined(separator: ", ")]
    // Escape text from the broker: it must not send control sequences to the terminal.
    columns = all.map { ($0 ?? "").escaped }
    stateText = ([status.state.rawValue, status.job ?? "", status.step.map(String.init) ?? ""] + notes).joined(
      separator: "\n")
    json =
      RosterLine(
        status: status, alive: isAlive, answered: entry.hasAnswered,
        forSeconds: entry.began.map { ((now - $0) / .seconds(1) * 10).rounded() / 10 }
      ).text
  }
}

/// A topic filter in its parts (MQTT 5, section 4.8.2).
private struct FilterText {
  let topic: String
  /// The group of a shared subscription.
  let group: String?

  init(_ filter: String) {
    let levels = filter.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    (topic, group) = levels.count == 3 && levels[0] == "$share" ? (levels[2], levels[1]) : (filter, nil)
  }
}

/// A worker's status with the roster's values.
private struct RosterLine: Encodable {
  let status: WorkerStatus
  let alive: Bool
  let answered: Bool
  let forSeconds: Double?

  private enum CodingKeys: String, CodingKey { case alive, answered, forSeconds }

  func encode(to encoder: any Encoder) throws {
    try status.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(alive, forKey: .alive)
    try container.encode(answered, forKey: .answered)
    try container.encodeIfPresent(forSeconds, forKey: .forSeconds)
  }

  var text: String {
    String(decoding: (try? compactJSON(self)) ?? [], as: UTF8.self)
  }
}

/// `worker-2` before `worker-10`.
private func isBefore(_ a: String, _ b: String) -> Bool {
  let (x, y) = (pieces(a), pieces(b))
  for (one, other) in zip(x, y) where one != other {
    if let first = Int(one), let second = Int(other), first != second { return first < second }
    return one < other
  }
  return x.count != y.count ? x.count < y.count : a < b
}

/// The name split into runs of digits and of other characters.
private func pieces(_ name: String) -> [Substring] {
  var pieces: [Substring] = []
  var rest = name[...]
  while let first = rest.first {
    let piece = rest.prefix { $0.isASCIIDigit == first.isASCIIDigit }
    pieces.append(piece)
    rest = rest.dropFirst(piece.count)
  }
  return pieces
}

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}

extension WorkerStatus.Leaving {
  fileprivate var note: String {
    switch self {
    case .drain: "drained: leaves after its job"
    case .reload: "starts again after its job"
    case .stop: "stops after its job"
    }
  }
}
