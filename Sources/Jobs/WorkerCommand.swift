/// A command to a worker, as `{"command": "drain"}` or `{"command": "cancel", "id": "job_2026_01"}`.
///
/// There are no other commands, and none of them carries anything to run.
package enum WorkerCommand: Equatable, Sendable {
  /// Answers.
  case healthCheck
  /// Answers with the version.
  case versionReport
  /// Answers with the status and fresh figures.
  case statusReport
  /// Exits when the worker has no job, so that the next process reads the settings again.
  case configReload
  /// Exits when the worker has no job, and reports that it does not come back.
  case drain
  /// Ends a job: TERM, grace, KILL; its artifacts are kept.
  case cancel(JobID)

  /// The words, in the order in which a refusal lists them.
  package enum Word: String, CaseIterable, Sendable {
    case healthCheck = "health-check"
    case versionReport = "version-report"
    case statusReport = "status-report"
    case configReload = "config-reload"
    case drain
    case cancel
  }

  /// The command's word.
  package var word: Word {
    switch self {
    case .healthCheck: .healthCheck
    case .versionReport: .versionReport
    case .statusReport: .statusReport
    case .configReload: .configReload
    case .drain: .drain
    case .cancel: .cancel
    }
  }

  /// Reads a payload of at most 64 KiB. Throws ``InvalidInput`` with a sentence that lists the known commands.
  package init(payload: [UInt8]) throws(InvalidInput) {
    let example = "{\"command\": \"health-check\"}"
    let fields = try JobFields(payload, subject: "the command", prefix: "", largest: 64 << 10)
    let members = try fields.members(like: example)
    try fields.refuseDuplicates()
    guard let command = members.first(where: { $0.key == "command" }) else {
      throw fields.missing("\"command\" is missing; it is needed, like \(example)")
    }
    let text = try fields.string(command.value, "\"command\"", like: "\"health-check\"")
    guard let word = Word(rawValue: text) else {
      let known = Word.allCases.map(\.rawValue.quoted).joined(separator: ", ")
      throw fields.invalid("\(text.quoted) is not a command; known are \(known)", at: command.value)
    }
    switch word {
    case .healthCheck: self = .healthCheck
    case .versionReport: self = .versionReport
    case .statusReport: self = .statusReport
    case .configReload: self = .configReload
    case .drain: self = .drain
    case .cancel:
      guard let id = members.first(where: { $0.key == "id" }) else {
        throw fields.missing(
          "\"id\" is missing; \"cancel\" needs it, like {\"command\": \"cancel\", \"id\": \"job_2026_01\"}")
      }
      self = .cancel(try JobID(try fields.string(id.value, "\"id\"", like: "\"job_2026_01\"")))
    }
  }

  /// The payload: compact JSON.
  package var encoded: [UInt8] {
    var text = "{\"command\":\"\(word.rawValue)\""
    if case .cancel(let id) = self { text += ",\"id\":\"\(id)\"" }
    return Array("\(text)}".utf8)
  }
}

/// A worker's answer to a command.
package struct CommandAnswer: Payload, Equatable, Sendable {
  /// The outcome of the command.
  package enum Outcome: String, Codable, Sendable {
    /// The worker has done it, or is doing it.
    case done
    /// The worker will do it after its current job.
    case later
    /// The worker refused it; ``CommandAnswer/error`` has the reason.
    case refused
  }

  /// The largest answer that is read: 64 KiB.
  package static let largestPayload = 64 << 10

  /// The worker that answers.
  package var workerId: String
  /// The command's word; `nil` if the command could not be read.
  package var command: String?
  /// The outcome.
  package var outcome: Outcome
  /// The reason for a refusal, as a sentence.
  package var error: String?
  /// The time of writing, as ``Timestamp`` writes it.
  package var time: String
  /// The worker's state; `nil` for a command that could not be read.
  package var state: WorkerStatus.State?
  /// The program's version; only for `version-report`.
  package var version: String?
  /// The worker's full status; only for `status-report`.
  package var status: WorkerStatus?

  /// An answer of the worker `id`.
  package init(_ outcome: Outcome, to command: WorkerCommand.Word?, of id: WorkerID, error: String? = nil) {
    workerId = id.text
    self.command = command?.rawValue
    self.outcome = outcome
    self.error = error
    time = Timestamp.now.description
  }
}
