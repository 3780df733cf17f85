private import FoundationEssentials

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
