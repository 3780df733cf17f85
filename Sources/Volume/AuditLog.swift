private import CLinux
private import Crypto
private import FileTree
private import FoundationEssentials
private import Glibc
package import Jobs
package import Logging
private import Synchronization
import SystemPackage

/// What one worker did and decided, for ever: `<jobs-dir>/.worker/audit/<worker>.jsonl`, one JSON object a line.
///
/// A line goes out in one write(2) with O_APPEND, before what it tells of has an effect on anybody else, so a worker that
/// is killed loses none: at most its last line is cut, and the next writer begins a new one. Lines are not synced one by
/// one: when the machine crashes, those of its last half minute may be missing. What must outlast that, claims and
/// results, is synced where it lies.
///
/// The file may be renamed at any time: the next line goes to a new one.
package final class AuditLog: Sendable {
  private static let longestText = 1000

  package let path: VolumePath
  private let worker: WorkerIdentity
  private let file = Mutex<AuditFile?>(nil)

  /// The log of `worker` in `directory`. The file is made with its first line.
  init(_ directory: JobsDirectory, _ worker: WorkerIdentity) {
    path = directory.auditLog(of: worker.id)
    self.worker = worker
  }

  /// Writes what is about to have an effect; if this throws, it must not have one.
  package func record(_ entry: AuditEntry) throws(VolumeError) {
    try append(try line(entry))
  }

  /// Writes what cannot be taken back. A line that the volume does not take goes to `logger`, and the worker goes on.
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
    do {
      return try compactJSON(AuditLine(entry: entry, worker: worker)) + [UInt8(ascii: "\n")]
    } catch {
      throw VolumeError("encoding a line for", path, .invalidArgument)
    }
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
  /// Blocks held ready behind the end, so that a job which fills the volume up does not go unrecorded.
  private static let reserve: Int64 = 16 << 10

  let descriptor: FileDescriptor
  /// The last line was cut: by a kill, or by a full volume.
  private var isMidLine: Bool

  /// What lies there and is no file of a worker's is put out of the way.
  convenience init(settingAsideAt path: VolumePath) throws(Errno) {
    do throws(Errno) {
      try self.init(path)
    } catch {
      guard DurableFile.setAside(path, unless: DurableFile.isFile) else { throw error }
      try self.init(path)
    }
  }

  private init(_ path: VolumePath) throws(Errno) {
    // What jobs do is nothing for others than the workers' users and their group.
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

/// An entry with who made it.
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

/// One thing that a worker did or decided, as a line of the audit log tells it.
package struct AuditEntry: Encodable, Sendable {
  /// What happened. ``AuditLog`` adds who did it.
  package enum Event: String, Encodable, Sendable {
    /// A job was claimed for a request. Nothing is done for it before this line is written.
    case claimed
    /// A job was claimed whose worker, `from`, died over it.
    case takenOver = "taken-over"
    /// A claim was given up again: somebody else had seen to the request.
    case dropped
    /// A request was refused; `error` is what its sender is told.
    case rejected
    /// A request was for a job that is being worked on.
    case duplicate
    /// A request was answered with the result that it had got before.
    case answered
    /// A request was put down for an idle worker.
    case putDown = "put-down"
    /// A request was put down until somebody approves it; `error` is why an earlier approval does not hold.
    case parked
    /// The queue that the worker `from` left with the broker was taken over.
    case adopted
    /// The files are staged, and the steps begin.
    case started
    /// A step ended.
    case step
    /// Somebody, `by`, asked for the job's end.
    case canceled
    /// The result stands. Told again when another worker publishes it.
    case completed
    /// The broker has the result.
    case published
    /// The broker does not take the result, which was put aside and is tried again; `error` is what it said.
    case undelivered
    /// A result that was put aside is published no more: the job has a newer one.
    case replaced
    /// Another worker holds the job, so this one left it.
    case superseded
    /// A kill switch was found; no job is taken.
    case halted
    /// It is gone.
    case resumed
    /// The worker was asked to stop and does not come back.
    case left
  }

  /// What happened.
  package let event: Event
  /// When, as ``Timestamp`` writes it.
  package let time: String
  /// The job.
  package var id: JobID?
  /// Which attempt of the job, from 1.
  package var attempt: Int?
  /// The topic on which the request came.
  package var topic: String?
  /// The request's idempotency key; one that is long is clipped.
  package var requestId: String?
  /// The ``Envelope/digest`` of the request.
  package var requestDigest: String?
  /// Who approved the request.
  package var approvedBy: String?
  /// The digest of the job.json that was approved.
  package var definitionDigest: String?
  /// The key that the request was signed with.
  package var keyId: String?
  /// The step's place in the job, from 0.
  package var step: Int?
  /// The digest of the step's command.
  package var commandDigest: String?
  /// A ``JobStatus`` or, for a step, a ``StepStatus``.
  package var status: String?
  /// The exit code of the step or the job.
  package var exitCode: Int?
  /// What went wrong, as a sentence.
  package var error: String?
  /// Another worker that this is about.
  package var from: String?
  /// Who or what asked for it.
  package var by: String?
  /// Why it was asked for.
  package var reason: String?

  /// Something that happens now.
  package init(_ event: Event, id: JobID? = nil) {
    self.event = event
    time = Timestamp.now.description
    self.id = id
  }

  /// Something that happens now to a request.
  package init(_ event: Event, id: JobID, of envelope: Envelope, signedBy key: String? = nil) {
    self.init(event, id: id)
    topic = envelope.topic
    requestId = envelope.requestId.text
    requestDigest = envelope.digest
    keyId = key
    note(envelope.approval)
  }

  /// Tells who decided about the request.
  package mutating func note(_ approval: Approval?) {
    switch approval?.decision {
    case .approved: (approvedBy, definitionDigest) = (approval?.by, approval?.definitionDigest)
    case .rejected: (by, reason) = (approval?.by, approval?.reason)
    case nil: break
    }
  }
}

extension Envelope {
  /// What tells this payload from every other: `sha256:<hex>` of its bytes.
  package var digest: String { digestText(of: Array(payload.utf8)) }
}

/// The digest of `bytes` as audit lines hold it: `sha256:<hex>`, as sha256sum(1) prints the number.
package func digestText(of bytes: [UInt8]) -> String {
  "sha256:\(String(hexadecimal: SHA256.hash(data: bytes)))"
}

extension String {
  /// Bytes as lower case hexadecimal digits, two for each.
  package init(hexadecimal bytes: some Sequence<UInt8>) {
    self.init(decoding: hexadecimal(bytes), as: UTF8.self)
  }
}
