import Glibc
package import Jobs
import SystemPackage

extension AuditLog {
  /// As many bytes of the log's end are read.
  private static let tail = 32 << 10
  /// As many jobs are named at most.
  private static let most = 16

  private struct Line: Decodable {
    let event: String
    let id: JobID?
  }

  /// The jobs that this worker has claimed last, newest first: the newest, and those that it has not ended by the words of
  /// its log. An earlier process may have been killed in them. Their claims say what they are.
  package func lastClaimed() throws(VolumeError) -> [JobID] {
    let (begun, ended): ([AuditEntry.Event], [AuditEntry.Event]) = (
      [.claimed, .takenOver], [.published, .dropped, .superseded]
    )
    var jobs: [JobID] = []
    var newest: JobID?
    // Without the first line, which may be cut.
    for line in try end().split(separator: UInt8(ascii: "\n")) {
      guard let line = decodedJSON(Line.self, Array(line)), let id = line.id else { continue }
      if begun.contains(where: { $0.rawValue == line.event }) {
        jobs.removeAll { $0 == id }
        jobs.append(id)
        newest = id
      } else if ended.contains(where: { $0.rawValue == line.event }) {
        jobs.removeAll { $0 == id }
      }
    }
    // It may have been killed between the line and the end of the claim.
    if let newest, !jobs.contains(newest) { jobs.append(newest) }
    return jobs.suffix(AuditLog.most).reversed()
  }

  private func end() throws(VolumeError) -> [UInt8] {
    do throws(Errno) {
      let file = try path.openFile(O_RDONLY)
      defer { try? file.close() }
      let size = Int(try regularStatus(of: file).st_size)
      var bytes = [UInt8](repeating: 0, count: min(size, AuditLog.tail))
      let count = pread(file.rawValue, &bytes, bytes.count, off_t(size - bytes.count))
      guard count >= 0 else { throw Errno(rawValue: errno) }
      return Array(bytes.prefix(count))
    } catch {
      // What lies there instead of a log is set aside at the next line.
      if error.saysGone || error == .isDirectory || error == .tooManySymbolicLinkLevels { return [] }
      throw VolumeError("reading", path, error)
    }
  }
}
