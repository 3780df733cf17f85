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

/// A line of an audit log, as far as readers need it: ``AuditEntry`` without what only people read.
struct AuditLine: Decodable {
  let event: String
  let time: String
  let workerId: String?
  let id: JobID?
  let attempt: Int?
  let step: Int?
  let error: String?
}

extension AuditLog {
  /// How many bytes of the log's end ``lastClaimed()`` reads.
  private static let tail = 32 << 10

  /// The job that this worker has claimed last. An earlier process may have been killed in it: its claim says that. A
  /// worker has one job at a time. `nil` if the log cannot be read or does not tell: a round finds the job later.
  package func lastClaimed() -> JobID? {
    let lines = (try? AuditTail.lines(path, length: AuditLog.tail)) ?? []
    for text in lines.reversed() {
      guard let line = decodedJSON(AuditLine.self, text), let event = AuditEntry.Event(rawValue: line.event),
        [.claimed, .takenOver].contains(event)
      else { continue }
      return line.id
    }
    return nil
  }
}
