package import SystemPackage

/// A step could not be started: no part of it ran.
package struct SpawnError: Error, Sendable, CustomStringConvertible {
  /// argv[0] as given.
  package let program: String
  /// The problem and advice, as half a sentence.
  package let problem: String
  /// The errno, if a system call failed.
  package let errno: Errno?
  /// Whether the step failed to start only because its latest start time had passed.
  package var isTooLate: Bool { errno == .timedOut }

  /// Creates an error about one program.
  package init(program: String, problem: String, errno: Errno? = nil) {
    self.program = program
    self.problem = problem
    self.errno = errno
  }

  /// The whole sentence.
  package var description: String { "cannot start '\(program)': \(problem)" }
}
