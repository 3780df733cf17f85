package import Logging
private import Synchronization

/// The kill switch of the volume as this worker sees it. Its appearance and its removal are logged once each, in the
/// log and in the audit log.
package final class KillSwitch: Sendable {
  private let directory: JobsDirectory
  private let audit: AuditLog
  private let isTold = Mutex(false)
  private let isOddTold = Mutex(false)

  init(_ directory: JobsDirectory, _ audit: AuditLog) {
    self.directory = directory
    self.audit = audit
  }

  /// The reason in the kill switch; nil if there is no kill switch now.
  package func reason(_ logger: Logger) -> String? {
    let reason = directory.haltReason
    let isNew = isTold.withLock { isTold in
      defer { isTold = reason != nil }
      return isTold != (reason != nil)
    }
    if reason == nil { tellOddEntry(logger) }
    guard isNew else { return reason }
    var entry = AuditEntry(reason == nil ? .resumed : .halted)
    entry.reason = reason
    audit.note(entry, logger)
    if let reason {
      logger.notice("\(directory.killSwitch) is there: no job is taken until it is removed (\(reason))")
    } else {
      logger.notice("\(directory.killSwitch) is gone: jobs are taken again")
    }
    return reason
  }

  private func tellOddEntry(_ logger: Logger) {
    let isOdd = directory.hasOddKillSwitch
    let wasTold = isOddTold.withLock { isTold in
      defer { isTold = isOdd }
      return isTold
    }
    guard isOdd, !wasTold else { return }
    logger.warning("\(directory.killSwitch) is no file, and halts nobody; make a file of that name to halt all workers")
  }
}
