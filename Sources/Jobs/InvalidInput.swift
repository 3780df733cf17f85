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

// The errors of system calls.
extension Errno {
  /// Whether the file does not exist any more. Every other error (EIO, ETIMEDOUT, EACCES…) leaves that open.
  package var saysGone: Bool { self == .noSuchFileOrDirectory || self == .staleNFSFileHandle }

  /// Whether the file's server or device did not do what was asked, as while it is away for a moment. Asked again, it may.
  package var saysAway: Bool { Errno.ofAbsence.contains(self) }

  private static let ofAbsence: Set<Errno> = [
    .ioError, .staleNFSFileHandle, .timedOut, .socketNotConnected, .socketShutdown, .connectionAbort, .connectionReset,
    .connectionRefused, .hostIsDown, .noRouteToHost, .networkDown, .networkUnreachable,
  ]

  /// Whether there is no room on the file system, or within a quota.
  package var isForRoom: Bool { self == .noSpace || self == .diskQuotaExceeded }

  /// An error from an untyped function of swift-system, which throws only `Errno`.
  package init(_ error: any Error) { self = error as? Errno ?? .ioError }
}

extension FileDescriptor {
  /// Writes all bytes at the file's position (write(2)).
  package func store(_ bytes: some Sequence<UInt8>) throws(Errno) {
    do {
      _ = try writeAll(bytes)
    } catch {
      throw Errno(error)
    }
  }

  /// Writes all bytes at `offset` (pwrite(2)).
  package func store(_ bytes: some Sequence<UInt8>, at offset: Int64) throws(Errno) {
    do {
      _ = try writeAll(toAbsoluteOffset: offset, bytes)
    } catch {
      throw Errno(error)
    }
  }
}
