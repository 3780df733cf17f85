import Glibc
package import Jobs
import SystemPackage

/// The end of a worker's audit log, for those who look for what happened last.
enum AuditTail {
  /// The lines in the last `length` bytes of the log at `path`, oldest first; the first may be cut. None if there is no log.
  static func lines(_ path: VolumePath, length: Int) throws(Errno) -> [[UInt8]] {
    do throws(Errno) {
      let file = try path.openFile(O_RDONLY)
      defer { try? file.close() }
      let size = Int(try regularStatus(of: file).st_size)
      var bytes = [UInt8](repeating: 0, count: min(size, length))
      let count = pread(file.rawValue, &bytes, bytes.count, off_t(size - bytes.count))
      guard count >= 0 else { throw Errno(rawValue: errno) }
      return bytes.prefix(count).split(separator: UInt8(ascii: "\n")).map(Array.init)
    } catch {
      if error.saysGone { return [] }
      throw error
    }
  }
}

extension AuditLog {
  /// As many bytes of the log's end are read for ``lastClaimed()``.
  private static let tail = 32 << 10
  /// As many jobs are named at most.
  private static let most = 16

  private struct Line: Decodable {
    let event: String
    let id: JobID?
  }

  /// The jobs that this worker has claimed last, newest first: the newest, and those that it has not ended by the words of
  /// its log. An earlier process may have been killed in them. Their claims say what they are. None if the log cannot be
  /// read: a round finds them later.
  package func lastClaimed() -> [JobID] {
    var jobs: [JobID] = []
    var newest: JobID?
    for line in (try? AuditTail.lines(path, length: AuditLog.tail)) ?? [] {
      guard let line = decodedJSON(Line.self, line), let id = line.id else { continue }
      switch AuditEntry.Event(rawValue: line.event) {
      case .claimed, .takenOver:
        jobs.removeAll { $0 == id }
        jobs.append(id)
        newest = id
      case .published, .dropped, .superseded: jobs.removeAll { $0 == id }
      default: break
      }
    }
    // It may have been killed between the line and the end of the claim.
    if let newest, !jobs.contains(newest) { jobs.append(newest) }
    return jobs.suffix(AuditLog.most).reversed()
  }
}
