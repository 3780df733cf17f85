private import Glibc
package import Jobs
import SystemPackage
package import Volume

/// Reads the end of a job's log and then what is added: of one step, or of the latest.
///
/// Unlike ``LogFollower`` it leaves out the beginning of a large log. It never waits: call it again after a moment.
package struct LogTail: Sendable {
  /// Some output of a step.
  package struct Piece: Sendable, Equatable {
    /// The step's place in the job, from 0.
    package let step: Int
    /// The place of the first byte in the log.
    package let offset: Int64
    /// The bytes, as the step wrote them.
    package let bytes: [UInt8]
    /// Whether it follows nothing: the first one of another step or of another attempt.
    package let isFirst: Bool
  }

  /// The step to read.
  package enum Choice: Sendable, Equatable {
    /// One step.
    case only(Int)
    /// The last one that has a log; the next one as soon as it begins.
    case latest
  }

  private let id: JobID
  private let choice: Choice
  private let size: Int64
  private let records: JobRecords
  private var folder: ResultsListing?
  private var reader: LogReader?
  private var isFirst = true

  /// Follows the log of `id` on `directory`, beginning with its last `size` bytes.
  package init(_ id: JobID, _ choice: Choice, size: Int64, in directory: JobsDirectory) {
    self.id = id
    self.choice = choice
    self.size = size
    records = JobRecords(directory)
  }

  /// The output since the last call; `nil` if there is none at the moment. Throws ``VolumeError`` if a log cannot be
  /// read.
  package mutating func next() throws(VolumeError) -> Piece? {
    // A later attempt moves results/ aside and makes a new one.
    if let latest = ResultsListing(of: id, records), latest.identity != folder?.identity {
      folder = latest
      reader = nil
    }
    guard let folder, var step = reader?.step ?? first(in: folder) else { return nil }
    // A loop and no recursion: a hostile job may have any number of empty logs.
    while true {
      // Look for a later log first: if there is one, this log is complete.
      let later = choice == .latest ? folder.firstStep(after: step) : nil
      if reader == nil { isFirst = true }
      var reader = self.reader ?? LogReader(step, tail: size, in: folder.descriptor)
      let bytes = try reader.read(in: folder.descriptor)
      self.reader = reader
      if !bytes.isEmpty {
        defer { isFirst = false }
        return Piece(step: step, offset: reader.position - Int64(bytes.count), bytes: bytes, isFirst: isFirst)
      }
      guard let later else { return nil }
      self.reader = LogReader(later)
      isFirst = true
      step = later
    }
  }

  private func first(in folder: ResultsListing) -> Int? {
    switch choice {
    case .only(let step): step
    case .latest: folder.steps().last
    }
  }

  /// At most `size` bytes of a step's log that end at `end`. Throws ``VolumeError`` if the log cannot be read.
  package static func bytes(
    of id: JobID, step: Int, before end: Int64, size: Int64, in directory: JobsDirectory
  ) throws(VolumeError) -> Piece? {
    guard let folder = ResultsListing(of: id, JobRecords(directory)) else { return nil }
    let start = max(0, end - size)
    let name = JobsDirectory.logName(step)
    do throws(Errno) {
      let file = try openBeneath(folder.descriptor, name, O_RDONLY)
      defer { try? file.close() }
      guard let status = try? Volume.status(of: file), status.st_mode & S_IFMT == S_IFREG else { return nil }
      var bytes = [UInt8](repeating: 0, count: Int(max(0, end - start)))
      let count = bytes.withUnsafeMutableBytes { pread(file.rawValue, $0.baseAddress, $0.count, off_t(start)) }
      guard count >= 0 else { throw Errno(rawValue: errno) }
      return Piece(step: step, offset: start, bytes: Array(bytes.prefix(count)), isFirst: true)
    } catch {
      if error == .noSuchFileOrDirectory { return nil }
      throw VolumeError("reading", FilePath(name), error)
    }
  }
}

extension JobRecords {
  /// The steps of `id` that have a log now, in order.
  package func logSteps(of id: JobID) -> [Int] { ResultsListing(of: id, self)?.steps() ?? [] }
}
