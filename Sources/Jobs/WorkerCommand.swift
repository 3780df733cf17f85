private import FoundationEssentials

/// What a worker is told to do by a message, as `{"command": "drain"}` or `{"command": "cancel", "id": "job_2026_01"}`.
///
/// This is all that a worker can be told by a message, and none of it brings anything that would be run.
package enum WorkerCommand: Equatable, Sendable {
  /// Say that you are there.
  case healthCheck
  /// Say which version you are.
  case versionReport
  /// Say what you publish as your status, with fresh figures.
  case statusReport
  /// End when you have no job, so that the next process reads the settings anew.
  case configReload
  /// End when you have no job, and say that you do not come back.
  case drain
  /// End a job: TERM, grace, KILL; its artifacts are kept.
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

  /// The command that a payload of at most 64 KiB holds. Throws ``InvalidInput`` with a sentence that lists what is known.
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

/// What a worker answers to a command.
package struct CommandAnswer: Codable, Equatable, Sendable {
  /// What became of the command.
  package enum Outcome: String, Codable, Sendable {
    /// It is done, or being done.
    case done
    /// It is done when the job that the worker has is done.
    case later
    /// It is not done; ``CommandAnswer/error`` says why.
    case refused
  }

  /// The worker that answers.
  package var workerId: String
  /// The command's word; nothing when it could not be read.
  package var command: String?
  /// What became of it.
  package var outcome: Outcome
  /// Why it was refused, as a sentence.
  package var error: String?
  /// When this was written, as ``Timestamp`` writes it.
  package var time: String
  /// What the worker does; of a command that was understood.
  package var state: WorkerStatus.State?
  /// The program's version; of `version-report`.
  package var version: String?
  /// All that the worker publishes about itself; of `status-report`.
  package var status: WorkerStatus?

  /// An answer of the worker `id`.
  package init(_ outcome: Outcome, to command: WorkerCommand.Word?, of id: WorkerID, error: String? = nil) {
    workerId = id.text
    self.command = command?.rawValue
    self.outcome = outcome
    self.error = error
    time = Timestamp.now.description
  }

  /// The answer that a payload holds; `nil` for anything else.
  package init?(payload: [UInt8]) {
    guard payload.count <= 64 << 10, let answer = try? JSONDecoder().decode(Self.self, from: Data(payload)) else {
      return nil
    }
    self = answer
  }

  /// The payload: compact JSON, keys sorted.
  package func encoded() throws -> [UInt8] {
    try compactJSON(self)
  }
}
