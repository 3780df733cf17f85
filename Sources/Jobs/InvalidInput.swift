package import SystemPackage

/// Why an input is refused.
///
/// The description is one sentence for the sender: what is wrong, where (line and column, or the step's index and the
/// key), and what is expected. Foreign text in it is clipped and escaped, so a terminal can show it.
package struct InvalidInput: Error, Sendable, Equatable, CustomStringConvertible {
  /// The job, if the id is readable and valid: the answer goes to its results topic.
  package let id: JobID?

  /// The sentence.
  package let description: String

  /// The volume's error, if the volume could not be read: the job may be valid, so its request must not be answered.
  package let fault: Errno?

  /// A refusal of `id`, or of an input without a readable id.
  package init(id: JobID? = nil, description: String) {
    self.id = id
    self.description = description
    fault = nil
  }

  /// A refusal because the files of `id` on the volume could not be opened or read; `cause` is the error.
  package init(id: JobID?, description: String, because cause: Errno) {
    self.id = id
    self.description = description
    fault = InvalidInput.isFault(cause) ? cause : nil
  }

  /// Whether the error comes from the volume or this machine, and not from the job's folder.
  package static func isFault(_ cause: Errno) -> Bool { !ofTheOwner.contains(cause) && !cause.saysGone }

  /// Errors that the owner of the job causes by the folder and its files. All others come from the volume or this
  /// machine.
  private static let ofTheOwner: Set<Errno> = [
    .noSuchFileOrDirectory, .notDirectory, .isDirectory, .tooManySymbolicLinkLevels, .improperLink, .permissionDenied,
    .notPermitted, .invalidArgument, .fileTooLarge, .fileNameTooLong, .noSuchAddressOrDevice,
  ]
}
