package import Jobs
package import Signing
package import Steps

/// What a user can set about how jobs are run.
package struct WorkerSettings: Sendable {
  /// Ends a job that takes longer and says nothing of its own about it.
  package var timeout: Duration?
  /// From TERM to KILL.
  package var grace: Duration = .seconds(10)
  /// How many workers may die over a job before it counts as lost; the job may say otherwise.
  package var maxAttempts = 3
  /// Which jobs must be approved before they are begun.
  package var approval = ApprovalDemand.whereTheJobSaysSo
  /// How many bytes of a step's output are kept.
  package var maxLogBytes: Int64 = 100 << 20
  /// Whether what steps write is handed on while they run, for those who cannot read the volume.
  package var logRelaying = LogRelaying.off
  /// How long a job folder that is not there is waited for; a network volume may show it late.
  package var folderPatience: Duration = .seconds(5)
  /// What is taken as a request: here, where it lies on the volume, and where it arrives.
  package var reader = RequestReader.unsigned
  /// The worker's own environment, which steps inherit less its secrets.
  package var environment = StepEnvironment()
  /// Ends the steps if this process is killed; none in tests of the worker itself. It outlives the job, and is told so.
  package var guardian: Guardian?
  /// Which variables hold secrets that must not be shown.
  package var secretNames = SecretNames()
  /// Further secrets, which steps do not get but may come upon.
  package var ownSecrets: [String] = []
  /// Is told some times a second how far a copy is that takes longer than a second, and `nil` when it has ended.
  package var onProgress: (@Sendable (JobProgress?) -> Void)?

  /// The defaults.
  package init() {}

  /// What must not be shown of a job.
  package func redaction(of definition: JobDefinition) -> Redaction {
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
package enum LogRelaying: Sendable {
  /// They are on the volume only.
  case off
  /// They are handed to the job source, too.
  case on
}
