import Glibc
package import Jobs
import SystemPackage
package import Volume

/// Reads a job's logs on the volume, step by step and from attempt to attempt.
///
/// A later attempt moves results/ aside and starts again; so does the follower, with the first step. It never waits:
/// call it again after a moment.
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
  /// The results of an earlier run, to be ignored. Kept open, so that its inode number is not reused.
  private var old: ResultsListing?

  /// Follows the logs in results/ from now on, with those that exist.
  package init(_ id: JobID, in directory: JobsDirectory) {
    self.id = id
    records = JobRecords(directory)
  }

  /// Follows a run that has not started: the current results/ is left out.
  init(nextRunOf id: JobID, in directory: JobsDirectory) {
    self.init(id, in: directory)
    // An empty folder is used unchanged, not moved aside.
    guard let folder = ResultsListing(of: id, records), !folder.isEmpty else { return }
    old = folder
  }

  /// The output since the last call; `nil` if there is none at the moment. Throws ``VolumeError`` if a log cannot be
  /// read.
  package mutating func next() throws(VolumeError) -> Piece? {
    try turnToLatestFolder()
    guard let folder else { return nil }
    while true {
      guard let current = reader?.step ?? folder.firstStep(after: -1) else { return nil }
      // Look for a later log first: if there is one, this log is complete.
      let later = folder.firstStep(after: current)
      if let piece = try read(current, in: folder) { return piece }
      guard let later else { return nil }
      self.reader = LogReader(later)
    }
  }

  /// Follows only one step, as ``next()`` follows all.
  package mutating func next(ofStep step: Int) throws(VolumeError) -> Piece? {
    try turnToLatestFolder()
    guard let folder else { return nil }
    return try read(step, in: folder)
  }

  private mutating func read(_ step: Int, in folder: ResultsListing) throws(VolumeError) -> Piece? {
    var reader = self.reader ?? LogReader(step)
    let bytes = try reader.read(in: folder.descriptor)
    self.reader = reader
    return bytes.isEmpty ? nil : Piece(step: step, bytes: bytes)
  }

  /// A later attempt may have moved results/ aside. Or the job removed it, and its worker restored it with all logs:
  /// then the reader continues at its position.
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

/// Reads one step's growing log: from its beginning, each byte of output once.
///
/// It opens the log for each read: a network file system asks its server only at an open (nfs(5)), and a removed log is
/// restored as another file. At its step's end a log over its limit is put in order; then the reader continues after
/// the bytes that it has read, or with the line about dropped output.
struct LogReader: Sendable {
  /// The largest read.
  static let largestPiece = 256 << 10

  let step: Int
  /// The number of bytes before those that are read next.
  private(set) var position: Int64 = 0
  /// Whether the log has its final form, so that its bytes can be read in order.
  private var isInOrder = false

  init(_ step: Int) {
    self.step = step
  }

  /// Begins with the last `tail` bytes that the log has now.
  init(_ step: Int, tail: Int64, in results: FileDescriptor) {
    self.init(step)
    let file = openat(results.rawValue, JobsDirectory.logName(step), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { return }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
    resumeIfInOrder(file)
    position = max(0, Int64(status.st_size) - tail)
  }

  /// The new output; empty if there is none, or no log yet.
  mutating func read(in results: FileDescriptor) throws(VolumeError) -> [UInt8] {
    let name = JobsDirectory.logName(step)
    // A step may have replaced it: follow no link, and do not block on a FIFO.
    let file = openat(results.rawValue, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else {
      if [ENOENT, ESTALE, ELOOP, ENXIO].contains(errno) { return [] }
      throw VolumeError("opening", FilePath(name))
    }
    defer { close(file) }
    resumeIfInOrder(file)
    let bytes = try bytes(of: file, name)
    if !isInOrder, resumeIfInOrder(file) {
      // The log was put in order during the read.
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
    // A log may be cut at any moment: below the position, or before the read, which is then short.
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

/// A job's open results/, independent of its name.
final class ResultsListing: Sendable {
  let descriptor: FileDescriptor
  let identity: FolderIdentity

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

  var isEmpty: Bool { !contains { _ in true } }

  /// The first step after `step` with a log. Steps that did not run have none.
  func firstStep(after step: Int) -> Int? {
    var status = stat()
    // A step may have created a log name with the largest number.
    let next = step.addingReportingOverflow(1).partialValue
    if next > step, fstatat(descriptor.rawValue, JobsDirectory.logName(next), &status, AT_SYMLINK_NOFOLLOW) == 0 {
      return next
    }
    return steps().first { $0 > step }
  }

  /// The steps with a log, in order.
  func steps() -> [Int] {
    var steps: [Int] = []
    _ = contains { name in
      if let step = JobsDirectory.step(ofLog: name) { steps.append(step) }
      return false
    }
    return steps.sorted()
  }

  /// The size of a step's log in bytes; `nil` if there is none.
  func size(ofStep step: Int) -> Int? {
    var status = stat()
    guard fstatat(descriptor.rawValue, JobsDirectory.logName(step), &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      return nil
    }
    return Int(status.st_size)
  }

  private func contains(_ condition: (String) -> Bool) -> Bool {
    (try? firstName(in: descriptor, where: condition)) != nil
  }
}

/// The device and inode of a folder. While a folder is open its inode number is not reused.
struct FolderIdentity: Equatable, Sendable {
  let device: UInt64
  let number: UInt64

  init(_ status: stat) {
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
  }
}
