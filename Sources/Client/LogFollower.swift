import Glibc
package import Jobs
import SystemPackage
package import Volume

/// Follows the logs of a job on the volume, step by step, from attempt to attempt.
///
/// A later attempt moves results/ aside and starts anew; so does the follower, with the first step. Nothing is waited for:
/// ask again after a moment.
package struct LogFollower: Sendable {
  /// Some output of a step.
  package struct Piece: Sendable, Equatable {
    /// The step's place in the job, from 0.
    package let step: Int
    /// The bytes, as the step wrote them.
    package let bytes: [UInt8]
  }

  private let id: JobID
  private let records: JobRecords
  private var folder: ResultsListing?
  private var reader: LogReader?
  private var attempt = 0
  /// The results of an earlier run, which are none of this one's. Held open, so that its number is not given to another.
  private var old: ResultsListing?

  /// Follows what is in results/ now, and what will be.
  package init(_ id: JobID, in directory: JobsDirectory) {
    self.id = id
    records = JobRecords(directory)
  }

  /// Follows a run that has not begun: what is in results/ now is left out.
  package init(nextRunOf id: JobID, in directory: JobsDirectory) {
    self.init(id, in: directory)
    // An empty folder is used as it is, not moved aside.
    guard let folder = ResultsListing(of: id, records), !folder.isEmpty else { return }
    old = folder
  }

  /// Output that has come since the last call; `nil` when there is none at the moment. Throws ``VolumeError`` when a log
  /// cannot be read.
  package mutating func next() throws(VolumeError) -> Piece? {
    try turnToLatestFolder()
    guard let folder else { return nil }
    while true {
      guard let current = reader?.step ?? folder.firstStep(after: -1) else { return nil }
      // Looked for first: when there is a later log, then nothing more is written to this one.
      let later = folder.firstStep(after: current)
      var reader = self.reader ?? LogReader(current)
      let bytes = try reader.read(in: folder.descriptor)
      self.reader = reader
      if !bytes.isEmpty { return Piece(step: current, bytes: bytes) }
      guard let later else { return nil }
      self.reader = LogReader(later)
    }
  }

  /// Follows one step only, as ``next()`` does all.
  package mutating func next(ofStep step: Int) throws(VolumeError) -> Piece? {
    try turnToLatestFolder()
    guard let folder else { return nil }
    var reader = self.reader ?? LogReader(step)
    let bytes = try reader.read(in: folder.descriptor)
    self.reader = reader
    return bytes.isEmpty ? nil : Piece(step: step, bytes: bytes)
  }

  /// results/ may have been moved aside by a later attempt; or the job removed it, and its worker made it again, with all
  /// logs in it, as far as they were: then the reader goes on where it was.
  private mutating func turnToLatestFolder() throws(VolumeError) {
    guard let next = ResultsListing(of: id, records), next.identity != old?.identity,
      next.identity != folder?.identity
    else { return }
    let attempt = try records.claims(of: id).last?.attempt ?? records.result(of: id)?.attempt ?? self.attempt
    if folder == nil || attempt > self.attempt { reader = nil }
    self.attempt = attempt
    folder = next
  }
}

/// Reads one step's log while it grows, from its beginning, each byte of output once.
///
/// It is opened anew for each reading: a network file system looks at what its server has only then (nfs(5)), and a log
/// that a job removed comes back as another file. A log that went over its limit is put in order at its step's end; from
/// there the reader goes on behind what it has, or with the line that tells what was dropped.
struct LogReader: Sendable {
  /// The most that is read at once.
  package static let largestPiece = 256 << 10

  package let step: Int
  private var position: Int64 = 0
  /// The log is in its last form: its bytes are read as they stand.
  private var isInOrder = false

  init(_ step: Int) {
    self.step = step
  }

  /// What is new; empty when nothing is, or while there is no such log.
  package mutating func read(in results: FileDescriptor) throws(VolumeError) -> [UInt8] {
    let name = JobsDirectory.logName(step)
    // A step may put what it likes in its place: no link is followed, no FIFO waited for.
    let file = openat(results.rawValue, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else {
      if [ENOENT, ELOOP, ENXIO].contains(errno) { return [] }
      throw VolumeError("opening", FilePath(name), Errno(rawValue: errno))
    }
    defer { close(file) }
    resumeIfInOrder(file)
    let bytes = try bytes(of: file, name)
    if !isInOrder, resumeIfInOrder(file) {
      // It was put in order while it was read.
      return take(try self.bytes(of: file, name))
    }
    return take(bytes)
  }

  private mutating func take(_ bytes: [UInt8]) -> [UInt8] {
    position += Int64(bytes.count)
    return bytes
  }

  private func bytes(of file: Int32, _ name: String) throws(VolumeError) -> [UInt8] {
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return [] }
    // A log may be cut at any moment: below what has been read, or between this and the reading, which is then short.
    guard Int64(status.st_size) > position else { return [] }
    let size = Int(min(Int64(LogReader.largestPiece), Int64(status.st_size) - position))
    var failure: Errno?
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
      let count = pread(file, buffer.baseAddress, size, off_t(position))
      if count < 0 { failure = Errno(rawValue: errno) }
      filled = max(0, count)
    }
    if let failure, failure != .interrupted { throw VolumeError("reading", FilePath(name), failure) }
    return bytes
  }

  @discardableResult
  private mutating func resumeIfInOrder(_ file: Int32) -> Bool {
    var status = stat()
    guard !isInOrder, fstat(file, &status) == 0 else { return false }
    let size = Int64(status.st_size)
    let length = Int(DroppedOutput.length)
    guard size > DroppedOutput.length else { return false }
    let offset = DroppedOutput.offset(limit: size - DroppedOutput.length)
    let line = [UInt8](unsafeUninitializedCapacity: length) { buffer, filled in
      filled = max(0, pread(file, buffer.baseAddress, length, off_t(offset)))
    }
    guard let dropped = DroppedOutput(line, inLogOf: size) else { return false }
    isInOrder = true
    position = dropped.resume(after: position)
    return true
  }
}

/// A job's results/ that is held open, whatever becomes of its name.
final class ResultsListing: Sendable {
  package let descriptor: FileDescriptor
  package let identity: FolderIdentity

  init?(of id: JobID, _ records: JobRecords) {
    guard let descriptor = records.openResults(of: id) else { return nil }
    var status = stat()
    guard fstat(descriptor.rawValue, &status) == 0 else {
      try? descriptor.close()
      return nil
    }
    self.descriptor = descriptor
    identity = FolderIdentity(status)
  }

  deinit {
    try? descriptor.close()
  }

  package var isEmpty: Bool { !contains { _ in true } }

  /// The first step behind `step` that has a log. Steps that were not run have none.
  func firstStep(after step: Int) -> Int? {
    var status = stat()
    // A step may have made a file whose name has the largest number.
    let next = step.addingReportingOverflow(1).partialValue
    if next > step, fstatat(descriptor.rawValue, JobsDirectory.logName(next), &status, AT_SYMLINK_NOFOLLOW) == 0 {
      return next
    }
    return steps().first { $0 > step }
  }

  /// The steps that have a log, in order.
  package func steps() -> [Int] {
    var steps: [Int] = []
    _ = contains { name in
      if let step = JobsDirectory.step(ofLog: name) { steps.append(step) }
      return false
    }
    return steps.sorted()
  }

  private func contains(_ condition: (String) -> Bool) -> Bool {
    (try? firstName(in: descriptor, where: condition)) != nil
  }
}

/// Which folder has a name: two of the same number are the same, as long as one of them is open.
struct FolderIdentity: Equatable, Sendable {
  package let device: UInt64
  package let number: UInt64

  init(_ status: stat) {
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
  }
}
