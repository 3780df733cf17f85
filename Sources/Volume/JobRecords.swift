private import Glibc
package import Jobs
package import SystemPackage

/// What the volume tells of jobs to those who only look: nothing is made, touched or waited for.
///
/// Each answer is of the moment; between two of them a job may have moved on.
package struct JobRecords: Sendable {
  private let directory: JobsDirectory

  /// The records on `directory`.
  package init(_ directory: JobsDirectory) {
    self.directory = directory
  }

  /// Throws ``VolumeError`` when there is no jobs folder.
  package func checkVolume() throws(VolumeError) {
    try onVolume("opening the jobs folder", directory.path) { () throws(Errno) in
      var status = stat()
      guard stat(directory.path.string, &status) == 0 else { throw Errno(rawValue: errno) }
      guard status.st_mode & S_IFMT == S_IFDIR else { throw .notDirectory }
    }
  }

  /// The claims of `id`, or of every job, lowest attempt first; those that were never whole are left out. A claim says that
  /// a worker holds the job, or died over it.
  package func claims(of id: JobID? = nil) throws(VolumeError) -> [ClaimRecord] {
    try directory.claimFiles(of: id, .passOver).compactMap(\.record)
  }

  /// The requests that wait for an idle worker, oldest first within each kind of workers.
  package func waiting() throws(VolumeError) -> [WaitingRequest] {
    try requests(in: directory.waiting)
  }

  /// The requests that wait for approval, oldest first within each kind of workers.
  package func parked() throws(VolumeError) -> [WaitingRequest] {
    try requests(in: directory.parked)
  }

  /// The results that the broker did not take, of every kind of workers; those that are tried next come first.
  package func undelivered() throws(VolumeError) -> [UndeliveredSummary] {
    var found: [UndeliveredSummary] = []
    for filter in try DurableFile.names(in: directory.undelivered) {
      let folder = directory.undelivered.appending(filter)
      for name in try DurableFile.names(in: folder).compactMap(UndeliveredName.init) {
        guard let bytes = try? DurableFile.read(folder.appending(name.text)),
          let result = UndeliveredResult(json: bytes, of: name.id)
        else { continue }
        found.append(
          UndeliveredSummary(
            id: name.id, reason: result.reason, tries: name.tries,
            next: Timestamp(millisecondsSince1970: name.next / 1_000_000)))
      }
    }
    return found.sorted { ($0.next, $0.id.text) < ($1.next, $1.id.text) }
  }

  /// How many there are of the workers that listen to `filter`.
  package func undeliveredCount(of filter: String) -> Int {
    ((try? DurableFile.names(in: directory.undelivered(of: filter))) ?? []).count
  }

  private func requests(in rooms: VolumePath) throws(VolumeError) -> [WaitingRequest] {
    var requests: [WaitingRequest] = []
    for filter in try DurableFile.names(in: rooms).sorted() {
      for ticket in try DeferredQueue.ticketNames(in: rooms.appending(filter)) {
        requests.append(
          WaitingRequest(
            id: ticket.id, filter: directory.filter(ofFolder: filter),
            since: Timestamp(millisecondsSince1970: ticket.instant / 1_000_000)))
      }
    }
    return requests
  }

  /// The result of the last run; `nil` when there is none that can be read.
  package func result(of id: JobID) -> JobResult? {
    try? JobFolder.open(id, in: directory).storedResult()
  }

  /// The jobs that have a folder, in the order of their names.
  package func jobs() throws(VolumeError) -> [JobID] {
    let names = try DurableFile.names(in: directory.top)
    return names.sorted().compactMap { name in
      guard let id = try? JobID(name), JobFolder.isThere(id, in: directory) else { return nil }
      return id
    }
  }

  /// Whether `id` has a folder.
  package func exists(_ id: JobID) -> Bool { directory.exists(id) }

  /// The results/ of `id`, open; `nil` when there is none. Its descriptor is the caller's.
  package func openResults(of id: JobID) -> FileDescriptor? {
    guard let folder = try? JobFolder.open(id, in: directory) else { return nil }
    return try? openFile(JobsDirectory.results, .directory, in: folder.descriptor)
  }
}

/// A result that the broker did not take, and that is tried again.
package struct UndeliveredSummary: Encodable, Sendable {
  /// The job.
  package let id: JobID
  /// What the broker said last.
  package let reason: String
  /// How often it was tried.
  package let tries: Int
  /// When it is tried next, by the volume's clock.
  package let next: Timestamp

  /// A sentence for people.
  package var sentence: String { "result not delivered: \(reason), next try \(next)" }

  private enum CodingKeys: CodingKey { case reason, tries, next }

  /// Writes an object; whose it is says what holds it.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(reason, forKey: .reason)
    try container.encode(tries, forKey: .tries)
    try container.encode(next.description, forKey: .next)
  }
}

/// A request that was put down on the volume.
package struct WaitingRequest: Sendable {
  /// The job.
  package let id: JobID
  /// The topic filter of the workers that may take it.
  package let filter: String
  /// When it was put there, by the volume's clock.
  package let since: Timestamp
}
