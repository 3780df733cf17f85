package import SystemPackage

/// A step could not be started: nothing of it ran.
package struct SpawnError: Error, Sendable, CustomStringConvertible {
  /// argv[0] as it was given.
  package let program: String
  /// What went wrong and what to do about it, as half a sentence.
  package let problem: String
  /// What the system said, where it was asked.
  package let errno: Errno?
  /// Nothing is wrong with it, but the moment has passed until which it might be started.
  package var isTooLate: Bool { errno == .timedOut }

  /// What could not be started, and why.
  package init(program: String, problem: String, errno: Errno? = nil) {
    self.program = program
    self.problem = problem
    self.errno = errno
  }

  /// The whole sentence.
  package var description: String { "cannot start '\(program)': \(problem)" }
}
