private import CLinux
private import Glibc
package import Jobs
package import SystemPackage

/// Who holds which job, on the volume.
///
/// The holder of a job is the claim with its highest attempt. Creation is exclusive, so that one of many wins; removal
/// goes from the lowest attempt up, so that who finds the claim gone that it superseded knows that the job is done.
package struct Ledger: Sendable {
  /// The volume.
  package let directory: JobsDirectory
  /// This worker.
  package let worker: WorkerIdentity
  /// The topic filter that makes this worker's kind; `nil` in a dry run.
  package let filter: String?
  /// What this worker did and decided.
  package let audit: AuditLog
  /// What keeps jobs from being taken.
  package let killSwitch: KillSwitch
  package let lease: Lease
  /// After how long untouched a claim, or a member, counts as dead.
  package var leaseDuration: Duration { lease.duration }

  /// Makes the folders that workers share; throws when the volume is missing or not writable. `memory` is a file on the local
  /// disk in which this worker keeps since when it has seen others' claims unchanged, where only that tells that they are dead.
  package init(
    _ directory: JobsDirectory, worker: WorkerIdentity, filter: String?, lease: Duration,
    remembering memory: FilePath? = nil
  ) throws(VolumeError) {
    self.directory = directory
    self.worker = worker
    self.filter = filter
    audit = AuditLog(directory, worker)
    killSwitch = KillSwitch(directory, audit)
    var status = stat()
    guard stat(directory.path.string, &status) == 0 else {
      throw VolumeError("opening the jobs folder", directory.path, Errno(rawValue: errno))
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw VolumeError("opening the jobs folder", directory.path, .notDirectory)
    }
    try DurableFile.ensureFolder(directory.state)
    for folder in [directory.claims, directory.clocks, directory.audit] {
      try DurableFile.makeFolder(folder)
      try onVolume("writing to", folder) { () throws(Errno) in try folder.checkWritable() }
    }
    self.lease = Lease(
      lease, clock: VolumeClock(probe: directory.clocks.appending(worker.id.text)),
      times: FileSystemKind(of: directory.path).times, remembering: memory)
    _ = try self.lease.clock.now()
    if let filter { directory.writeDown(filter) }
  }

  /// Where workers of this kind put requests down.
  package var waitingRoom: DeferredQueue { waitingRoom(of: filter ?? "") }

  /// Where workers that listen to `filter` put requests down.
  package func waitingRoom(of filter: String) -> DeferredQueue {
    DeferredQueue(folder: directory.waitingRoom(of: filter), lease: lease)
  }

  /// Where requests to workers of this kind wait for approval.
  package var parkingRoom: DeferredQueue {
    DeferredQueue(folder: directory.parkingRoom(of: filter ?? ""), lease: lease)
  }

  /// Where they are let go.
  package var approvals: ApprovalStore { ApprovalStore(directory) }

  /// Where results of this kind of workers lie that the broker does not take.
  package var undelivered: UndeliveredResults {
    UndeliveredResults(folder: directory.undelivered(of: filter ?? ""), lease: lease)
  }

  // MARK: Claims

  /// Claims a job that nobody holds; the claim is on disk, and in the audit log, when this returns. `nil` when somebody
  /// holds it.
  package func claim(_ envelope: Envelope, _ id: JobID, signedBy key: String? = nil) throws(VolumeError) -> Claim? {
    let run = envelope.run ?? String(UInt64.random(in: 0 ... .max), radix: 36)
    guard try highestAttempt(of: id) == 0,
      let claim = try create(id, attempt: 1, envelope, run: run, signedBy: key)
    else { return nil }
    try record(claim, claim.entry(.claimed))
    return claim
  }

  /// Takes a stale claim over as the next attempt; `nil` when another was faster, or the job is done after all.
  package func takeOver(_ stale: ClaimFile, _ envelope: Envelope, signedBy key: String? = nil) throws(VolumeError)
    -> Claim?
  {
    // Nobody made so many: a claim that nobody would see must not be made because of it.
    guard stale.attempt < JobsDirectory.mostAttempts else {
      try stale.file.remove()
      return nil
    }
    let (attempt, run) = (stale.attempt + 1, stale.record?.run)
    guard let claim = try create(stale.id, attempt: attempt, envelope, run: run, signedBy: key) else { return nil }
    do {
      // Its name may be another run's by now.
      guard try stale.file.isUnchanged() else {
        try claim.place.remove()
        return nil
      }
    } catch {
      _ = try? claim.place.remove()
      throw error
    }
    var entry = claim.entry(.takenOver)
    entry.from = stale.record?.worker
    try record(claim, entry)
    return claim
  }

  /// A claim that is not in the audit log is none.
  private func record(_ claim: Claim, _ entry: AuditEntry) throws(VolumeError) {
    do {
      try audit.record(entry)
    } catch {
      _ = try? claim.place.remove()
      throw error
    }
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

  /// Whether another attempt holds the job of `claim` now, or ended it; or the claim is gone. Throws when the volume does not
  /// say, which is no answer: ask again. May block for half a second; tasks ask ``hasLost(_:)``.
  package func isSuperseded(_ claim: Claim) throws(VolumeError) -> Bool {
    // In this order: whoever was stopped between the two must not miss a successor that has come and gone meanwhile.
    if try hasSuccessor(claim) { return true }
    return try !claim.isInPlace()
  }

  /// The same, and no other task waits meanwhile.
  package func hasLost(_ claim: Claim) async throws -> Bool {
    if try hasSuccessor(claim) { return true }
    return try await !claim.staysInPlace()
  }

  /// Whether it is known at this moment, without waiting, that the job is another's or over. In doubt it is not: an error is no
  /// answer.
  package func hasCertainlyLost(_ claim: Claim) -> Bool {
    (try? hasSuccessor(claim)) == true || (try? claim.isInPlaceNow()) == .some(false)
  }

  /// Whether a higher attempt of the same run has a claim. One that is not whole yet is looked at again; one of another run was
  /// made by somebody who did not know that its job was done, and drops it.
  package func hasSuccessor(_ claim: Claim) throws(VolumeError) -> Bool {
    for name in try directory.claimNames(of: claim.record.id) where name.attempt > claim.record.attempt {
      guard let file = try ClaimFile.read(name, .setAside) else { continue }
      if file.record?.isOfSameRun(as: claim.record) == true { return true }
    }
    return false
  }

  /// The highest attempt that a claim of `id` is of. A network file system may list names that are
  /// gone; it knows when it is asked for the files.
  private func highestAttempt(of id: JobID) throws(VolumeError) -> Int {
    guard try !directory.claimNames(of: id).isEmpty else { return 0 }
    return try claimFiles(of: id).last?.attempt ?? 0
  }

  /// Removes the claims of a run that is done, from the lowest attempt up to this one. Who was stopped before it came to this
  /// may have lost its own meanwhile, and finds others' of the same names: they stay.
  /// May block for half a second; tasks ask whether it ``Claim/staysInPlace()`` before.
  package func release(_ claim: Claim) throws(VolumeError) {
    guard try claim.isInPlace() else { return }
    for name in try directory.claimNames(of: claim.record.id) where name.attempt < claim.record.attempt {
      guard let lower = try ClaimFile.read(name, .setAside), lower.record?.isOfSameRun(as: claim.record) == true else {
        continue
      }
      try lower.file.remove()
    }
    try claim.place.remove()
  }

  /// Whether the result of the last run, or of the one before it, is this request's. Throws when the volume does not say, which
  /// is no answer.
  package func hasAnswered(_ envelope: Envelope, _ id: JobID) throws(VolumeError) -> Bool {
    for name in [JobsDirectory.results, JobsDirectory.previousResults] {
      if envelope.requestId.isSame(as: try storedResult(of: id, in: name)?.requestId) { return true }
    }
    return false
  }

  /// The result that lies in the job's folder; `nil` if there is no folder, or none that can be understood.
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

  /// Removes what workers died over that were about to remove it.
  package func sweep() throws(VolumeError) {
    for folder in [directory.claims, directory.members, waitingRoom.folder, parkingRoom.folder] {
      try KnownFile.sweep(folder, lease)
    }
  }

  /// Whether somebody who may be alive holds the job. A claim that is not whole holds nothing yet: its writer may have died
  /// over it, and nobody can tell for which request.
  package func isHeld(_ id: JobID) throws(VolumeError) -> Bool {
    guard let holder = try claimFiles(of: id).last, holder.record != nil else { return false }
    return try !isAbandoned(holder)
  }

  /// Whether the job is held for this very request.
  package func isHeld(_ id: JobID, for request: RequestID) throws(VolumeError) -> Bool {
    let holder = try claimFiles(of: id).last?.record
    return holder.map { request.isSame(as: $0.envelope.requestId.text) } ?? false
  }

  /// The newest claim of each job of this worker's kind whose holder is dead.
  package func abandonedClaims() throws(VolumeError) -> [ClaimFile] {
    var newest: [JobID: ClaimFile] = [:]
    for file in try claimFiles() where file.attempt > newest[file.id]?.attempt ?? 0 { newest[file.id] = file }
    guard !newest.isEmpty else { return [] }
    let moment = try lease.clock.now()
    var abandoned: [ClaimFile] = []
    for file in newest.values where file.record.map({ $0.filter == filter }) ?? true {
      // One of which the volume does not say how old it is, is looked at again with the next look.
      if (try? isAbandoned(file, at: moment)) == true { abandoned.append(file) }
    }
    return abandoned
  }

  private func isAbandoned(_ file: ClaimFile, at moment: Int64? = nil) throws(VolumeError) -> Bool {
    if let record = file.record, record.worker == worker.id.text, record.process.hasEnded { return true }
    return try lease.hasExpired(file.path, at: moment)
  }

  /// All claims of `id`, or of every job, lowest attempt first.
  package func claimFiles(of id: JobID? = nil) throws(VolumeError) -> [ClaimFile] {
    try directory.claimFiles(of: id, .setAside)
  }
}
