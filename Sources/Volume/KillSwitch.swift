private import Glibc
private import Jobs
package import Logging
private import Synchronization
private import SystemPackage

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

extension JobsDirectory {
  /// The reason why no job is taken: the first line of the kill switch, at most 200 characters, escaped. `nil` if there
  /// is no kill switch; an unreadable or empty one counts, too.
  package var haltReason: String? {
    refresh()
    do throws(Errno) {
      if try !isKillSwitch(killSwitch.status()) { return nil }
    } catch {
      // In doubt it exists.
      if error == .noSuchFileOrDirectory { return nil }
    }
    let bytes = try? DurableFile.read(killSwitch, limit: 1 << 20)
    let line = String(decoding: (bytes ?? []).prefix { $0 != UInt8(ascii: "\n") }.prefix(4096), as: UTF8.self)
    var reason = line.drop(while: \.isWhitespace)
    while reason.last?.isWhitespace == true { reason.removeLast() }
    return reason.isEmpty ? "no reason is given" : String(reason).escaped(upTo: 200)
  }

  /// Whether an entry that is no file has the kill switch's name: it halts nobody.
  var hasOddKillSwitch: Bool {
    guard let status = try? killSwitch.status() else { return false }
    return !isKillSwitch(status)
  }

  /// Only a regular file counts as one.
  private func isKillSwitch(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFREG }
}
