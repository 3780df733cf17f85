public import SystemPackage

/// A step could not be started: nothing of it ran.
public struct SpawnError: Error, Sendable, CustomStringConvertible {
  /// argv[0] as it was given.
  public let program: String
  /// What went wrong and what to do about it, as half a sentence.
  public let problem: String
  /// What the system said, where it was asked.
  public let errno: Errno?
  /// Nothing is wrong with it, but the moment has passed until which it might be started.
  public var isTooLate: Bool { errno == .timedOut }

  /// What could not be started, and why.
  public init(program: String, problem: String, errno: Errno? = nil) {
    self.program = program
    self.problem = problem
    self.errno = errno
  }

  /// The whole sentence.
  public var description: String { "cannot start '\(program)': \(problem)" }
}
