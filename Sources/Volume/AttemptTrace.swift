package import Jobs

/// What a running attempt has reached, as its worker's audit log tells. Times are those of the worker's wall clock.
package struct AttemptTrace: Sendable, Equatable {
  /// What the worker does.
  package enum Phase: String, Encodable, Sendable {
    /// It copies the job's files to its workspace.
    case staging
    /// It runs a step.
    case running
    /// The last step has ended; it brings the changed files back, and publishes the result.
    case ending
  }

  /// When the job was claimed.
  package var claimed: Timestamp
  /// What the worker does.
  package var phase: Phase
  /// When that began; of ``Phase/running``, when the current step did.
  package var since: Timestamp
  /// The index of the current step, from 0; `nil` before the first and after the last.
  package var step: Int?

  /// Reads `lines`, an audit log's end, for the attempt of `claim`, whose job has `steps` steps. `nil` if they do not tell
  /// of it.
  init?(_ lines: some Sequence<[UInt8]>, of claim: ClaimRecord, steps: Int?) {
    var trace: AttemptTrace?
    for bytes in lines {
      guard let line = decodedJSON(AuditLine.self, bytes), line.id == claim.id, line.attempt == claim.attempt,
        let time = Timestamp(line.time)
      else { continue }
      switch AuditEntry.Event(rawValue: line.event) {
      case .claimed, .takenOver: trace = AttemptTrace(claimed: time, phase: .staging, since: time)
      case .started: trace?.move(to: 0, of: steps, at: time)
      case .step: trace?.move(to: (line.step ?? 0).addingReportingOverflow(1).partialValue, of: steps, at: time)
      default: break
      }
    }
    guard let trace else { return nil }
    self = trace
  }

  private init(claimed: Timestamp, phase: Phase, since: Timestamp) {
    (self.claimed, self.phase, self.since) = (claimed, phase, since)
  }

  private mutating func move(to step: Int, of steps: Int?, at time: Timestamp) {
    since = time
    let isOver = steps.map { step >= $0 } ?? false
    (phase, self.step) = isOver ? (.ending, nil) : (.running, step)
  }
}

extension JobRecords {
  /// How much of an audit log's end is read: the lines of many steps.
  private static let traceLength = 256 << 10

  /// How far the attempt of `claim` is, if its job has `steps` steps; `nil` if this user may not read the audit log, or if
  /// the log does not tell.
  package func trace(of claim: ClaimRecord, steps: Int?) -> AttemptTrace? {
    guard let worker = WorkerID(claim.worker, host: ""),
      let lines = try? AuditTail.lines(directory.auditLog(of: worker), length: Self.traceLength)
    else { return nil }
    return AttemptTrace(lines, of: claim, steps: steps)
  }
}
