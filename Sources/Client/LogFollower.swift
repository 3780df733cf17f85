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
