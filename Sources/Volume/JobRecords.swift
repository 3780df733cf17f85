private import Glibc
package import Jobs
package import SystemPackage

/// The volume's records about jobs, read only: this creates and touches nothing, and does not wait.
///
/// Each answer is a snapshot; a job may change between two of them.
package struct JobRecords: Sendable {
  package let directory: JobsDirectory

  /// The records on `directory`.
  package init(_ directory: JobsDirectory) {
    self.directory = directory
  }

  /// Throws ``VolumeError`` if there is no jobs folder.
  package func checkVolume() throws(VolumeError) {
    try directory.check()
  }

  /// The complete claims of `id`, or of every job, lowest attempt first. A claim means that a worker holds the job, or
  /// died while running it.
  package func claims(of id: JobID? = nil) throws(VolumeError) -> [ClaimRecord] {
    // A caller that asks for one job must not think it free because it may not read the claim.
    let files =
      if let id { try directory.claimFiles(of: id, from: 1, .passOver, .fatal) } else {
        try directory.claimFiles(.passOver)
      }
    return files.compactMap(\.record)
  }

  /// When the worker of `claim` touched it last, by the clock of the volume; `nil` if that cannot be seen.
  package func lastTouch(of claim: ClaimRecord) -> Timestamp? {
    let status = try? directory.claimName(of: claim.id, claim.attempt).path.status()
    return status.map { Timestamp(millisecondsSince1970: $0.modified / 1_000_000) }
  }

  /// The deferred requests, oldest first within each topic filter.
  package func waiting() throws(VolumeError) -> [WaitingRequest] {
    try requests(in: directory.waiting)
  }

  /// The requests that wait for approval, oldest first within each topic filter.
  package func parked() throws(VolumeError) -> [WaitingRequest] {
    try requests(in: directory.parked)
  }

  /// The keys of the deferred requests for `id`, oldest first within each topic filter.
  package func waitingKeys(of id: JobID) throws(VolumeError) -> [String] {
    var keys: [String] = []
    for filter in try DurableFile.names(in: directory.waiting).sorted() {
      let folder = directory.waiting.appending(filter)
      for deferred in try DeferredQueue.parsedNames(in: folder) where deferred.id == id {
        guard let file = try KnownFile.read(folder.appending(deferred.name), .passOver) else { continue }
        if let envelope = decodedJSON(Envelope.self, file.bytes) { keys.append(envelope.requestId.text) }
      }
    }
    return keys
  }

  /// Who canceled the next request of `id`, or one that waits on the volume; `nil` if nobody has.
  package func canceler(of id: JobID) throws(VolumeError) -> String? {
    let keys = try waitingKeys(of: id)
    let now = Timestamp.now.millisecondsSince1970 * 1_000_000
    return try CancelMark.all(of: id, in: directory).first { mark in
      mark.requestId.map(keys.contains) ?? mark.holds(at: now)
    }?.by
  }

  /// The results that the broker refused, of all topic filters, by the time of the next try.
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

  /// The number of undelivered results of the workers of `filter`.
  package func undeliveredCount(of filter: String) -> Int {
    ((try? DurableFile.names(in: directory.undelivered(of: filter))) ?? []).count
  }

  private func requests(in folder: VolumePath) throws(VolumeError) -> [WaitingRequest] {
    var requests: [WaitingRequest] = []
    for filter in try DurableFile.names(in: folder).sorted() {
      for deferred in try DeferredQueue.parsedNames(in: folder.appending(filter)) {
        requests.append(
          WaitingRequest(
            id: deferred.id, filter: directory.filter(ofFolder: filter),
            since: Timestamp(millisecondsSince1970: deferred.instant / 1_000_000)))
      }
    }
    return requests
  }

  /// The result of the last run; `nil` if none can be read.
  package func result(of id: JobID) -> JobResult? {
    try? JobFolder.open(id, in: directory).storedResult()
  }

  /// Why nobody can say whether the last run has a result, or which: results/ or result.json cannot be read. `nil` if they
  /// can.
  package func obstacle(toResultOf id: JobID) -> VolumeError? {
    let path = directory.folder(of: id)
    do throws(Errno) {
      let folder = try path.open(O_RDONLY | O_DIRECTORY)
      defer { try? folder.close() }
      let results = try openFile(JobsDirectory.results, .directory, in: folder)
      defer { try? results.close() }
      let file = try openFile(JobsDirectory.result, in: results)
      try? file.close()
      return nil
    } catch {
      guard [.permissionDenied, .notPermitted].contains(error) || InvalidInput.isFault(error) else { return nil }
      return VolumeError("reading", path.appending(JobsDirectory.results).appending(JobsDirectory.result), error)
    }
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
  package func exists(_ id: JobID) throws(VolumeError) -> Bool {
    let folder = directory.folder(of: id)
    directory.refresh()
    do throws(Errno) {
      _ = try folder.status()
      return true
    } catch {
      guard error == .noSuchFileOrDirectory else { throw VolumeError("looking at", folder, error) }
      return false
    }
  }

  /// Opens the results/ of `id`; `nil` if there is none. The caller closes the descriptor.
  package func openResults(of id: JobID) -> FileDescriptor? {
    guard let folder = try? JobFolder.open(id, in: directory) else { return nil }
    return try? openFile(JobsDirectory.results, .directory, in: folder.descriptor)
  }
}

/// A result that the broker refused and that is retried.
package struct UndeliveredSummary: Encodable, Sendable {
  /// The job.
  package let id: JobID
  /// The broker's last answer.
  package let reason: String
  /// The number of tries.
  package let tries: Int
  /// The time of the next try, by the volume's clock.
  package let next: Timestamp

  /// A sentence for people.
  package var sentence: String { "result not delivered: \(reason), next try \(next)" }

  private enum CodingKeys: CodingKey { case reason, tries, next }

  /// Writes an object without the job's id, which its container has.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(reason, forKey: .reason)
    try container.encode(tries, forKey: .tries)
    try container.encode(next.description, forKey: .next)
  }
}

/// A deferred or parked request on the volume.
package struct WaitingRequest: Sendable {
  /// The job.
  package let id: JobID
  /// The topic filter of the workers that may take it.
  package let filter: String
  /// The time when it was put there, by the volume's clock.
  package let since: Timestamp
}
