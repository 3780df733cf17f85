package import SystemPackage

/// An error of the shared volume or the local disk that stops the worker.
package struct VolumeError: Error, Sendable, CustomStringConvertible {
  /// The operation, such as `creating`.
  package let operation: String
  /// The path.
  package let path: FilePath
  /// The cause.
  package let cause: Errno

  /// An error of `operation` on `path`.
  package init(_ operation: String, _ path: FilePath, _ cause: Errno) {
    self.operation = operation
    self.path = path
    self.cause = cause
  }

  package init(_ operation: String, _ path: VolumePath, _ cause: Errno) {
    self.init(operation, path.path, cause)
  }

  /// Whether the entry may be odd: a folder, link, FIFO or socket, or a file that is too large or not readable.
  var isOfOddEntry: Bool {
    [
      .isDirectory, .tooManySymbolicLinkLevels, .invalidArgument, .fileTooLarge, .noSuchAddressOrDevice,
      .permissionDenied,
    ].contains(cause)
  }

  /// Whether this user may not do that.
  package var isOfRights: Bool { cause == .permissionDenied || cause == .notPermitted }

  /// A sentence for the user.
  package var description: String {
    let advice =
      switch cause {
      case .noSpace, .diskQuotaExceeded: "; free some space"
      case .permissionDenied, .notPermitted, .readOnlyFileSystem:
        "; the worker's user must be able to write there"
      case .noSuchFileOrDirectory: "; check that the volume is mounted"
      case .notDirectory: "; move away what lies there, a worker makes the folder"
      case .tooManySymbolicLinkLevels, .improperLink:
        "; no link is followed there, put the file or folder itself in its place"
      case .resourceBusy: "; something is mounted there or below: unmount it"
      case .noFunction, .notSupported, .notSupportedOnSocket, .noLocks:
        "; this file system cannot do that, use a folder on another one"
      default: ""
      }
    return "\(operation) \(path): \(cause)\(advice)"
  }
}
