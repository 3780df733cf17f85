public import SystemPackage

/// What a user can set about how jobs are run.
public struct WorkerSettings: Sendable {
  /// Ends a job that takes longer and says nothing of its own about it.
  public var timeout: Duration?
  /// From TERM to KILL.
  public var grace: Duration = .seconds(10)
  /// How many workers may die over a job before it counts as lost; the job may say otherwise.
  public var maxAttempts = 3
  /// How many bytes of a step's output are kept.
  public var maxLogBytes: Int64 = 100 << 20
  /// How long a job folder that is not there is waited for; a network volume may show it late.
  public var folderPatience: Duration = .seconds(5)
  /// What is taken as a request: here, where it lies on the volume, and where it arrives.
  public var reader = RequestReader.unsigned
  /// The worker's own environment, which steps inherit less its secrets.
  public var environment = StepEnvironment()
  /// The program to start as guardian of the steps; none in tests of the worker itself.
  public var guardian: FilePath?

  /// The defaults.
  public init() {}
}
