import Glibc
package import Jobs
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
