package import Jobs

/// That a worker refused a request for a job, as its audit log tells: nothing else on the volume does.
package struct Rejection: Encodable, Sendable, Equatable {
  /// The worker.
  package let workerId: String
  /// When, as ``Timestamp`` writes it, by the worker's wall clock.
  package let time: String
  /// Why, as a sentence.
  package let error: String
}

extension JobRecords {
  /// How much of each audit log's end is read.
  private static let rejectionLength = 32 << 10

  /// The rejection of `id` that the workers' audit logs have last; `nil` if another event of the job came after it, and for
  /// logs that this user may not read. Reads the end of each worker's log.
  package func lastRejection(of id: JobID) -> Rejection? {
    let name = Array("\"\(id)\"".utf8)
    var last: (time: Timestamp, line: AuditLine)?
    for log in (try? DurableFile.names(in: directory.audit)) ?? [] {
      let lines = try? AuditTail.lines(directory.audit.appending(log), length: Self.rejectionLength)
      for bytes in lines ?? [] where bytes.contains(name) {
        guard let line = decodedJSON(AuditLine.self, bytes), line.id == id, let time = Timestamp(line.time),
          // A worker that had claimed the job drops its claim after the rejection.
          line.event != AuditEntry.Event.dropped.rawValue, last.map({ $0.time <= time }) ?? true
        else { continue }
        last = (time, line)
      }
    }
    guard let line = last?.line, line.event == AuditEntry.Event.rejected.rawValue, let worker = line.workerId,
      let error = line.error
    else { return nil }
    return Rejection(workerId: worker, time: line.time, error: error)
  }
}
