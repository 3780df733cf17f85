private import CLinux
private import FoundationEssentials
private import Glibc
package import Jobs
package import Logging
private import Synchronization
import SystemPackage

/// The audit log of one worker: `<jobs-dir>/.worker/audit/<worker>.jsonl`, one JSON object a line.
///
/// The worker writes a line with one write(2) and O_APPEND before the action has an effect on others, so a killed
/// worker loses no line: at most its last line is cut, and the next writer starts a new one. Single lines are not
/// synced: after a crash of the machine those of the last half minute may be missing. Claims and results are synced.
///
/// The file may be renamed at any time: the next line goes to a new one.
package final class AuditLog: Sendable {
  private static let longestText = 1000

  package let path: VolumePath
  private let worker: WorkerIdentity
  private let file = Mutex<AuditFile?>(nil)

  /// The log of `worker` in `directory`. The first line creates the file.
  init(_ directory: JobsDirectory, _ worker: WorkerIdentity) {
    path = directory.auditLog(of: worker.id)
    self.worker = worker
  }

  /// Writes an entry before its action; if this throws, the action must not happen.
  package func record(_ entry: AuditEntry) throws(VolumeError) {
    try append(try line(entry))
  }

  /// Writes an entry whose action cannot be undone. If the volume refuses the line, `logger` gets it, and the worker
  /// continues.
  package func note(_ entry: AuditEntry, _ logger: Logger) {
    do throws(VolumeError) {
      let line = try line(entry)
      do throws(VolumeError) {
        try append(line)
      } catch {
        logger.error("not in the audit log (\(error)): \(String(decoding: line.dropLast(), as: UTF8.self))")
      }
    } catch {
      logger.error("\(error)")
    }
  }

  private func line(_ entry: AuditEntry) throws(VolumeError) -> [UInt8] {
    var entry = entry
    shorten(&entry.topic)
    shorten(&entry.requestId)
    shorten(&entry.error)
    shorten(&entry.by)
    shorten(&entry.reason)
    shorten(&entry.approvedBy)
    shorten(&entry.definitionDigest)
    return try DurableFile.line(AuditLine(entry: entry, worker: worker), for: path)
  }

  private func shorten(_ text: inout String?) {
    guard let scalars = text?.unicodeScalars, scalars.count > AuditLog.longestText else { return }
    text = "\(String(scalars.prefix(AuditLog.longestText)))…"
  }

  private func append(_ line: [UInt8]) throws(VolumeError) {
    try file.withLock { (file) throws(VolumeError) in
      try onVolume("appending to", path) { () throws(Errno) in
        if let open = file, !DurableFile.isNamed(open.descriptor, path) { file = nil }
        let open = if let open = file { open } else { try AuditFile(settingAsideAt: path) }
        file = open
        try open.append(line)
      }
    }
  }
}

/// The open file behind an ``AuditLog``.
private final class AuditFile {
  /// Blocks reserved behind the end, so that a job that fills the volume is still recorded.
  private static let reserve: Int64 = 16 << 10

  let descriptor: FileDescriptor
  /// Whether the last line is cut, by a kill or by a full volume.
  private var isMidLine: Bool

  /// Opens the file; an entry that no worker made is set aside first.
  convenience init(settingAsideAt path: VolumePath) throws(Errno) {
    do throws(Errno) {
      try self.init(path)
    } catch {
      guard DurableFile.setAside(path, unless: DurableFile.isFile) else { throw error }
      try self.init(path)
    }
  }

  private init(_ path: VolumePath) throws(Errno) {
    // Only the workers' users and their group may read it.
    descriptor = try path.openFile(O_RDWR | O_APPEND | O_CREAT, mode: 0o660)
    isMidLine = false
    let size = Int64(try regularStatus(of: descriptor).st_size)
    _ = linux_reserve(descriptor.rawValue, size, AuditFile.reserve)
    var last = UInt8(ascii: "\n")
    if size > 0 { pread(descriptor.rawValue, &last, 1, off_t(size - 1)) }
    isMidLine = last != UInt8(ascii: "\n")
  }

  deinit {
    try? descriptor.close()
  }

  func append(_ line: [UInt8]) throws(Errno) {
    var rest = (isMidLine ? [UInt8(ascii: "\n")] : []) + line
    while !rest.isEmpty {
      let count = write(descriptor.rawValue, rest, rest.count)
      if count < 0, Glibc.errno == EINTR { continue }
      guard count > 0 else { throw Errno(rawValue: count < 0 ? Glibc.errno : EIO) }
      rest.removeFirst(count)
      isMidLine = !rest.isEmpty
    }
  }
}

/// An entry with its worker.
private struct AuditLine: Encodable {
  let entry: AuditEntry
  let worker: WorkerIdentity

  private enum CodingKeys: String, CodingKey {
    case workerId, host, pid
  }

  func encode(to encoder: any Encoder) throws {
    try entry.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(worker.id.text, forKey: .workerId)
    try container.encode(worker.process.host, forKey: .host)
    try container.encode(worker.process.pid, forKey: .pid)
  }
}

/// An action or decision of a worker: a line of the audit log.
package struct AuditEntry: Encodable, Sendable {
  /// The kind of event. ``AuditLog`` adds the worker.
  package enum Event: String, Encodable, Sendable {
    /// A job was claimed for a request. The worker writes this line before it does anything for the job.
    case claimed
    /// A job was claimed whose worker, `from`, died while running it.
    case takenOver = "taken-over"
    /// A claim was dropped because the request had been handled already.
    case dropped
    /// A request was refused; `error` is the answer to the sender.
    case rejected
    /// A request was for a job that a worker runs already.
    case duplicate
    /// A request was answered with its earlier result.
    case answered
    /// A request was deferred for an idle worker.
    case deferred = "put-down"
    /// A request was parked until somebody approves it; `error` says why an earlier approval is not valid.
    case parked
    /// The broker's queue of the departed worker `from` was taken over.
    case adopted
    /// The files are staged, and the steps start.
    case started
    /// A step ended.
    case step
    /// The job was canceled by `by`.
    case canceled
    /// The result is on the volume. Written again if another worker publishes it.
    case completed
    /// The broker has acknowledged the result.
    case published
    /// The broker refused the result, which is kept and retried; `error` is the broker's answer.
    case undelivered
    /// An undelivered result was dropped because the job has a newer one.
    case replaced
    /// Another worker has taken the job over, so this one stopped.
    case superseded
    /// The kill switch exists; the worker takes no job.
    case halted
    /// The kill switch is gone.
    case resumed
    /// The worker was told to stop, and does not come back.
    case left
  }

  /// The kind of event.
  package let event: Event
  /// The time, as ``Timestamp`` writes it.
  package let time: String
  /// The job.
  package var id: JobID?
  /// The attempt, from 1.
  package var attempt: Int?
  /// The topic of the request.
  package var topic: String?
  /// The request's idempotency key, clipped if it is long.
  package var requestId: String?
  /// The ``Envelope/digest`` of the request.
  package var requestDigest: String?
  /// The approver of the request.
  package var approvedBy: String?
  /// The digest of the job.json that was approved.
  package var definitionDigest: String?
  /// The key that signed the request.
  package var keyId: String?
  /// The step's index, from 0.
  package var step: Int?
  /// The digest of the step's command.
  package var commandDigest: String?
  /// A ``JobStatus`` or, for a step, a ``StepStatus``.
  package var status: String?
  /// The exit code of the step or the job.
  package var exitCode: Int?
  /// The error, as a sentence.
  package var error: String?
  /// The other worker of the event.
  package var from: String?
  /// The origin of the order: a person or a program.
  package var by: String?
  /// The reason of the order.
  package var reason: String?

  /// An event of now.
  package init(_ event: Event, id: JobID? = nil) {
    self.event = event
    time = Timestamp.now.description
    self.id = id
  }

  /// An event of now about a request.
  package init(_ event: Event, id: JobID, of envelope: Envelope, signedBy key: String? = nil) {
    self.init(event, id: id)
    topic = envelope.topic
    requestId = envelope.requestId.text
    requestDigest = envelope.digest
    keyId = key
    note(envelope.approval)
  }

  /// Adds the decision about the request.
  package mutating func note(_ approval: Approval?) {
    switch approval?.decision {
    case .approved: (approvedBy, definitionDigest) = (approval?.by, approval?.definitionDigest)
    case .rejected: (by, reason) = (approval?.by, approval?.reason)
    case nil: break
    }
  }
}

/// The points at which tests stop a worker, to kill it there.
///
/// Only a debug build has them: with `MQTT_FS_WORKER_STOP_AT=<name>` it stops itself with SIGSTOP at that point.
package enum TestStopPoint: String {
  case received, claimed, begun, acknowledged, started, resultWritten, published, released, requestDeferred,
    deferredRequestClaimed
  case putAside, parked, decisionWritten, decisionMade, cacheFilled
  case removalBegun, folderHidden, folderDoomed, folderReplaced

  /// Marks the point.
  @inline(__always)
  package func reached() {
    #if DEBUG
      guard ProcessInfo.processInfo.environment["MQTT_FS_WORKER_STOP_AT"] == rawValue else { return }
      raise(SIGSTOP)
    #endif
  }
}
