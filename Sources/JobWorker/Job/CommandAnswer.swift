private import FoundationEssentials

/// What a worker answers to a command.
public struct CommandAnswer: Codable, Equatable, Sendable {
  /// What became of the command.
  public enum Outcome: String, Codable, Sendable {
    /// It is done, or being done.
    case done
    /// It is done when the job that the worker has is done.
    case later
    /// It is not done; ``CommandAnswer/error`` says why.
    case refused
  }

  /// The worker that answers.
  public var workerId: String
  /// The command's word; nothing when it could not be read.
  public var command: String?
  /// What became of it.
  public var outcome: Outcome
  /// Why it was refused, as a sentence.
  public var error: String?
  /// When this was written, as ``Timestamp`` writes it.
  public var time: String
  /// What the worker does; of a command that was understood.
  public var state: WorkerStatus.State?
  /// The program's version; of `version-report`.
  public var version: String?
  /// All that the worker publishes about itself; of `status-report`.
  public var status: WorkerStatus?

  /// An answer of the worker `id`.
  public init(_ outcome: Outcome, to command: WorkerCommand.Word?, of id: WorkerID, error: String? = nil) {
    workerId = id.text
    self.command = command?.rawValue
    self.outcome = outcome
    self.error = error
    time = Timestamp.now.description
  }

  /// The answer that a payload holds; `nil` for anything else.
  public init?(payload: [UInt8]) {
    guard payload.count <= 64 << 10, let answer = try? JSONDecoder().decode(Self.self, from: Data(payload)) else {
      return nil
    }
    self = answer
  }

  /// The payload: compact JSON, keys sorted.
  public func encoded() throws -> [UInt8] {
    try compactJSON(self)
  }
}
