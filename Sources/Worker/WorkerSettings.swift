package import Jobs
package import Signing
package import Steps

/// The user's settings for how jobs run.
package struct WorkerSettings: Sendable {
  /// The timeout of a job that sets none itself; `nil` for no timeout.
  package var timeout: Duration?
  /// The time from TERM to KILL.
  package var grace: Duration = .seconds(10)
  /// How many attempts a job has before it counts as lost. A job may set its own number.
  package var maxAttempts = 3
  /// Which jobs need an approval before they begin.
  package var approval = ApprovalDemand.whereTheJobSaysSo
  /// The maximum size of a step's log in bytes.
  package var maxLogBytes: Int64 = 100 << 20
  /// Whether the worker also publishes the steps' output while they run, for readers without the volume.
  package var logRelaying = LogRelaying.off
  /// How long a worker waits for a job folder that is missing; a network volume may show it late.
  package var folderPatience: Duration = .seconds(5)
  /// Reads requests and decides which are valid: on arrival, on the volume and in a dry run.
  package var reader = RequestReader.unsigned
  /// The worker's own environment. Steps inherit it without the worker's secrets.
  package var environment = StepEnvironment()
  /// The guardian that ends the steps if this process is killed; `nil` in tests of the worker alone. It outlives the
  /// job, so the worker tells it when the job is done.
  package var guardian: Guardian?
  /// The names of variables that hold secrets.
  package var secretNames = SecretNames()
  /// Further secrets to mask. Steps do not inherit them, but may still find them.
  package var ownSecrets: [String] = []
  /// What the host keeps between jobs; `nil` for nothing.
  package var caches: CacheDirectory?
  /// Called a few times a second with the progress of a copy that takes longer than a second, and with `nil` at its
  /// end.
  package var onProgress: (@Sendable (JobProgress?) -> Void)?

  /// The defaults.
  package init() {}

  /// Masks the secrets of a job, and those among variables that its steps handed on.
  package func redaction(of definition: JobDefinition, and handedOn: Set<String> = []) -> Redaction {
    Redaction(secrets(of: definition).map(\.value) + ownSecrets + handedOn)
  }

  /// The names of secrets in which no line is long enough to be masked.
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
  /// Logs stay on the volume.
  case off
  /// The job source publishes them, too.
  case on
}
