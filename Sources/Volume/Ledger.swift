private import CLinux
package import Jobs
package import SystemPackage

/// What workers have written on the volume about jobs: claims, deferred and parked requests, marks of cancellations.
///
/// The claim with the highest attempt holds the job. Creation is exclusive, so that one of several workers wins.
/// A worker removes the claims of a finished job from the first attempt up.
package struct Ledger: Sendable {
  /// The volume.
  package let directory: JobsDirectory
  /// This worker.
  package let worker: WorkerIdentity
  /// The topic filters of this worker, most urgent first; none in a dry run.
  package let filters: [String]
  /// The topic filter of the requests that are in hand: the first, until ``serving(_:)`` changes it; `nil` in a dry run.
  package private(set) var filter: String?
  /// The audit log of this worker.
  package let audit: AuditLog
  /// The kill switch of the volume.
  package let killSwitch: KillSwitch
  package let lease: Lease
  /// The time after which the owner of an untouched claim or member file counts as dead.
  package var leaseDuration: Duration { lease.duration }

  /// Creates the folders that workers share; throws if the volume is missing or not writable. `memory` is a local file
  /// for this worker's observations of others' claims, for volumes where hosts set the times (``TimeSource/hosts``);
  /// `times` is the file system's if it is `nil`.
  package init(
    _ directory: JobsDirectory, worker: WorkerIdentity, filters: [String], lease: Duration,
    remembering memory: FilePath? = nil, times: TimeSource? = nil
  ) throws(VolumeError) {
    self.directory = directory
    self.worker = worker
    self.filters = filters
    filter = filters.first
    audit = AuditLog(directory, worker)
    killSwitch = KillSwitch(directory, audit)
    try directory.check()
    try directory.makeState()
    self.lease = Lease(
      lease, clock: VolumeClock(probe: directory.clocks.appending(worker.id.text)),
      times: times ?? FileSystemKind(of: directory.path).times, remembering: memory)
    _ = try self.lease.clock.now()
    for filter in filters { directory.writeDown(filter) }
  }

  /// The same ledger with the requests of another of the worker's topic filters in hand: what is claimed, deferred,
  /// parked or put aside is for the workers of that filter. A request of a dry run has none.
  package func serving(_ filter: String?) -> Ledger {
    var ledger = self
    ledger.filter = filter
    return ledger
  }

  /// The deferred requests for workers of this topic filter.
  package var deferredQueue: DeferredQueue { deferredQueue(of: filter ?? "") }

  /// The deferred requests for workers of `filter`.
  package func deferredQueue(of filter: String) -> DeferredQueue {
    DeferredQueue(folder: directory.deferredFolder(of: filter), lease: lease)
  }

  /// The requests for workers of this topic filter that wait for approval.
  package var parkedQueue: DeferredQueue {
    DeferredQueue(folder: directory.parkedFolder(of: filter ?? ""), lease: lease)
  }

  /// The decisions about them.
  package var approvals: ApprovalStore { ApprovalStore(directory) }

  /// The results of workers of this topic filter that the broker refused.
  package var undelivered: UndeliveredResults {
    UndeliveredResults(folder: directory.undelivered(of: filter ?? ""), lease: lease)
  }

  // MARK: Claims

  /// Claims a job that nobody holds; the claim is on disk and in the audit log when this returns. `nil` if another
  /// worker holds it.
  package func claim(_ envelope: Envelope, _ id: JobID, signedBy key: String? = nil) throws(VolumeError) -> Claim? {
    let run = envelope.run ?? DurableFile.nonce
    guard try claimFiles(of: id).isEmpty,
      let claim = try create(id, attempt: 1, envelope, run: run, signedBy: key)
    else { return nil }
    do {
      try audit.record(claim.entry(.claimed))
    } catch {
      // A claim that is not recorded is void.
      _ = try? claim.place.remove()
      throw error
    }
    return claim
  }

  /// Takes an abandoned claim over as the next attempt; `nil` if another worker was faster, or if the job is done.
  package func takeOver(_ abandoned: ClaimFile, _ envelope: Envelope, signedBy key: String? = nil) throws(VolumeError)
    -> Claim?
  {
    // No worker writes such a number; the next attempt would be ignored as invalid.
    guard abandoned.attempt < JobsDirectory.mostAttempts else {
      try abandoned.file.remove()
      return nil
    }
    guard let filled = try earlierClaims(than: abandoned) else { return nil }
    let (attempt, run) = (abandoned.attempt + 1, abandoned.record?.run)
    guard let claim = try create(abandoned.id, attempt: attempt, envelope, run: run, signedBy: key) else { return nil }
    do {
      // By now its name may be that of another run.
      if try abandoned.file.isUnchanged() {
        var entry = claim.entry(.takenOver)
        entry.from = abandoned.record?.worker
        try audit.record(entry)
        return claim
      }
    } catch {
      _ = try? claim.place.remove()
      throw error
    }
    try claim.place.remove()
    for file in filled.reversed() { try file.remove() }
    return nil
  }

  /// Makes the missing claims of earlier attempts of the run of `abandoned`, by which others find all of them: its worker
  /// died while it released them, or somebody removed them. Returns those that it made, highest attempt first: whoever
  /// finds the first finds all. `nil` if another run has, or may have, begun. If that is certain, `abandoned` is removed.
  private func earlierClaims(than abandoned: ClaimFile) throws(VolumeError) -> [KnownFile]? {
    guard let own = abandoned.record else { return [] }
    var missing: [ClaimName] = []
    for attempt in (1..<abandoned.attempt).reversed() {
      let name = directory.claimName(of: abandoned.id, attempt)
      if try DurableFile.isMissing(name.path) { missing.append(name) }
      if missing.count > Ledger.mostMissing {
        try abandoned.file.remove()
        return nil
      }
    }
    var made: [KnownFile] = []
    // The first tells whether another run has begun. If it is missing, it is made last.
    let first = directory.claimName(of: abandoned.id, 1)
    let isFirstThere = abandoned.attempt > 1 && missing.last?.attempt != 1
    for name in isFirstThere ? [first] + missing : missing {
      switch try remakeClaim(name, like: own, abandoned.file) {
      case .isThere: continue
      case .made(let file): made.append(file)
      case .ofAnotherRun:
        for file in made.reversed() { try file.remove() }
        return nil
      }
    }
    return made
  }

  /// No run in progress lacks more claims.
  private static let mostMissing = 20

  private enum EarlierClaim {
    case isThere, ofAnotherRun
    case made(KnownFile)
  }

  private func remakeClaim(
    _ name: ClaimName, like own: ClaimRecord, _ abandoned: KnownFile
  ) throws(VolumeError) -> EarlierClaim {
    // Others may make and remove it meanwhile.
    for _ in 0..<10 {
      if let file = try DurableFile.create(name.path, abandoned.bytes) {
        defer { try? file.close() }
        return .made(try KnownFile(name.path, file, abandoned.bytes))
      }
      guard case .file(let earlier) = try directory.read(name, .setAside, .skipped) else { continue }
      if earlier.record?.isOfSameRun(as: own) == true { return .isThere }
      if earlier.record != nil {
        try abandoned.remove()
      } else if try lease.hasExpired(name.path) {
        // Its writer died, or the removal whose mark it is.
        try earlier.file.remove()
        continue
      }
      return .ofAnotherRun
    }
    return .ofAnotherRun
  }

  private func create(
    _ id: JobID, attempt: Int, _ envelope: Envelope, run: String?, signedBy key: String?
  ) throws(VolumeError) -> Claim? {
    let record = ClaimRecord(
      id: id, attempt: attempt, worker: worker.id.text, process: worker.process, run: run, filter: filter,
      envelope: envelope, keyId: key)
    let path = directory.claims.appending(JobsDirectory.claimName(id, attempt))
    return try Claim.create(record, at: path, lease: lease)
  }

  /// Whether another attempt holds the job of `claim` or has ended it, or the claim is gone. Throws if the volume does
  /// not answer: ask again. May block its thread for half a second; tasks use ``hasLost(_:)``.
  package func isSuperseded(_ claim: Claim) throws(VolumeError) -> Bool {
    // Look for a successor first: if this process is stopped between the two checks, a successor may come and go
    // meanwhile.
    if try hasSuccessor(claim) { return true }
    return try !claim.isInPlace()
  }

  /// The same, without blocking other tasks.
  package func hasLost(_ claim: Claim) async throws -> Bool {
    if try hasSuccessor(claim) { return true }
    return try await !claim.staysInPlace()
  }

  /// Whether the job is certainly another worker's or over, without waiting. In doubt, also after an error, it is not.
  package func hasCertainlyLost(_ claim: Claim) -> Bool {
    (try? hasSuccessor(claim)) == true || (try? claim.isInPlaceNow()) == .some(false)
  }

  /// Whether a higher attempt of the same run has a claim. An incomplete claim does not count yet. A claim of another
  /// run does not count either: its worker did not know that the job was done, and drops the claim.
  package func hasSuccessor(_ claim: Claim) throws(VolumeError) -> Bool {
    let higher = try directory.claimFiles(of: claim.record.id, from: claim.record.attempt + 1, .setAside, .fatal)
    return higher.contains { $0.record?.isOfSameRun(as: claim.record) == true }
  }

  /// Removes the claims of a finished run, from the first attempt up to this one: without a first one, others are of no
  /// run in progress. A worker that was stopped before this may have lost its claim, and find claims of other runs with
  /// the same names: they stay.
  package func release(_ claim: Claim) async throws {
    guard try await claim.staysInPlace() else { return }
    for attempt in 1..<claim.record.attempt {
      let name = directory.claimName(of: claim.record.id, attempt)
      guard case .file(let lower) = try directory.read(name, .setAside, .skipped),
        lower.record?.isOfSameRun(as: claim.record) == true
      else { continue }
      try lower.file.remove()
    }
    try claim.place.remove()
  }

  /// Whether the result of the last run, or of the run before, is this request's. Throws if the volume does not answer.
  package func hasAnswered(_ envelope: Envelope, _ id: JobID) throws(VolumeError) -> Bool {
    if envelope.requestId.isSame(as: try storedResult(of: id)?.requestId) { return true }
    return try hasMovedAside(answerTo: envelope, id)
  }

  /// Whether the result of the run before the last is this request's.
  package func hasMovedAside(answerTo envelope: Envelope, _ id: JobID) throws(VolumeError) -> Bool {
    envelope.requestId.isSame(as: try storedResult(of: id, in: JobsDirectory.previousResults)?.requestId)
  }

  /// The result in the job's folder; `nil` if there is no folder or no readable result.
  package func storedResult(of id: JobID, in name: String = JobsDirectory.results) throws(VolumeError) -> JobResult? {
    let folder: JobFolder
    do {
      folder = try JobFolder.open(id, in: directory)
    } catch {
      guard let fault = error.fault else { return nil }
      throw VolumeError("looking for a result in", directory.folder(of: id), fault)
    }
    return try folder.storedResult(in: name)
  }

  /// Whether a worker that may be alive holds the job. An incomplete claim holds nothing yet: its writer may be dead,
  /// and its request is unknown.
  package func isHeld(_ id: JobID) throws(VolumeError) -> Bool { try holder(of: id) != nil }

  /// The newest claim of the job; `nil` if there is none, or if its holder is dead.
  package func holder(of id: JobID) throws(VolumeError) -> ClaimFile? {
    guard let holder = try claimFiles(of: id).last, holder.record != nil, try !isAbandoned(holder) else { return nil }
    return holder
  }

  /// Whether the newest claim of the job is for this request, even if its holder is dead.
  package func hasClaim(_ id: JobID, for request: RequestID) throws(VolumeError) -> Bool {
    let holder = try claimFiles(of: id).last?.record
    return holder.map { request.isSame(as: $0.envelope.requestId.text) } ?? false
  }

  func isAbandoned(_ file: ClaimFile, at moment: Int64? = nil) throws(VolumeError) -> Bool {
    if let record = file.record, record.worker == worker.id.text, record.process.hasEnded { return true }
    return try lease.hasExpired(file.path, at: moment)
  }

  /// The claims of `id`, lowest attempt first.
  package func claimFiles(of id: JobID) throws(VolumeError) -> [ClaimFile] {
    try directory.claimFiles(of: id, .setAside)
  }
}
