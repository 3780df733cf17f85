/// What a user can set about how jobs are run.
public struct WorkerSettings: Sendable {
  /// Ends a job that takes longer and says nothing of its own about it.
  public var timeout: Duration?
  /// From TERM to KILL.
  public var grace: Duration = .seconds(10)
  /// How many workers may die over a job before it counts as lost; the job may say otherwise.
  public var maxAttempts = 3
  /// Which jobs must be approved before they are begun.
  public var approval = ApprovalDemand.whereTheJobSaysSo
  /// How many bytes of a step's output are kept.
  public var maxLogBytes: Int64 = 100 << 20
  /// Whether what steps write is handed on while they run, for those who cannot read the volume.
  public var logRelaying = LogRelaying.off
  /// How long a job folder that is not there is waited for; a network volume may show it late.
  public var folderPatience: Duration = .seconds(5)
  /// What is taken as a request: here, where it lies on the volume, and where it arrives.
  public var reader = RequestReader.unsigned
  /// The worker's own environment, which steps inherit less its secrets.
  public var environment = StepEnvironment()
  /// Ends the steps if this process is killed; none in tests of the worker itself. It outlives the job, and is told so.
  public var guardian: Guardian?
  /// Which variables hold secrets that must not be shown.
  public var secretNames = SecretNames()
  /// Further secrets, which steps do not get but may come upon.
  public var ownSecrets: [String] = []
  /// Is told some times a second how far a copy is that takes longer than a second, and `nil` when it has ended.
  public var onProgress: (@Sendable (JobProgress?) -> Void)?

  /// The defaults.
  public init() {}

  /// What must not be shown of a job.
  func redaction(of definition: JobDefinition) -> Redaction {
    Redaction(secrets(of: definition).map(\.value) + ownSecrets)
  }

  /// The names of secrets that have no part long enough to be masked.
  func shortSecrets(of definition: JobDefinition) -> [String] {
    Set(secrets(of: definition).filter { Redaction.lines(of: $0.value).isEmpty }.map { $0.name.escaped }).sorted()
  }

  private func secrets(of definition: JobDefinition) -> [(name: String, value: String)] {
    ([environment.inherited, definition.environment] + definition.steps.map(\.environment)).flatMap { variables in
      secretNames.secrets(in: variables).map { (name: $0.key, value: $0.value) }
    }
  }
}

/// Whether logs leave the volume.
public enum LogRelaying: Sendable {
  /// They are on the volume only.
  case off
  /// They are handed to the job source, too.
  case on
}
