private import CLinux
private import Glibc
import Jobs
package import Logging
private import Synchronization
import SystemPackage

/// The audit log of one worker: `<jobs-dir>/.worker/audit/<worker>.jsonl`, one JSON object a line.
///
/// The worker writes a line with one write(2) and O_APPEND before the action has an effect on others (a claim is made first, and void without its line), so a killed
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
    return try DurableFile.line(AttributedEntry(entry: entry, worker: worker), for: path)
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
private struct AttributedEntry: Encodable {
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
