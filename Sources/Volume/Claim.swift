private import Dispatch
private import FoundationEssentials
private import Glibc
package import Jobs
private import Synchronization
import SystemPackage

/// What a claim file says: who works on which request.
package struct ClaimRecord: Codable, Sendable {
  /// The job.
  package var id: JobID
  /// Counts from 1.
  package var attempt: Int
  /// The worker's id.
  package var worker: String
  /// The process that holds it.
  package var process: ProcessIdentity
  /// What the attempts of one run have in common. `nil` in claims of version 0.1.
  package var run: String?
  /// The topic filter of the worker; only workers of the same one take over. `nil` in a dry run, which nobody does.
  package var filter: String?
  /// The request.
  package var envelope: Envelope
  /// The key that signed the request, as the worker found that made this claim.
  package var keyId: String?
}

/// What the name of a claim file says.
package struct ClaimName: Sendable {
  package let path: VolumePath
  package let id: JobID
  package let attempt: Int
}

/// A claim file as it lies on the volume, perhaps somebody else's.
package struct ClaimFile: Sendable {
  package let file: KnownFile
  package let id: JobID
  package let attempt: Int
  /// `nil` when its writer died before it was whole; then its request was not acknowledged, and comes again.
  package let record: ClaimRecord?

  package var path: VolumePath { file.path }

  /// What lies under `name`; `nil` if that is gone.
  package static func read(_ name: ClaimName, _ odd: DurableFile.OddEntries) throws(VolumeError) -> ClaimFile? {
    guard let file = try KnownFile.read(name.path, odd) else { return nil }
    return ClaimFile(file: file, id: name.id, attempt: name.attempt, record: ClaimRecord(json: file.bytes))
  }
}

/// A job that this worker holds, as long as no higher attempt exists.
package final class Claim: Sendable {
  /// What its file says.
  package let record: ClaimRecord
  package var path: VolumePath { place.path }
  package let place: KnownFile
  private let digest: String
  private let file: FileDescriptor
  private let keeper: LeaseRenewer
  private let watch: Watch

  private init(
    _ record: ClaimRecord, _ place: KnownFile, _ file: FileDescriptor, _ keeper: LeaseRenewer, _ watch: Watch
  ) {
    self.record = record
    self.place = place
    self.file = file
    self.keeper = keeper
    self.watch = watch
    digest = record.envelope.digest
  }

  /// Creates the file, and touches it every third of `lease` from the moment that it is whole: it may take longer than a lease
  /// until it is on disk. `nil` if there is one already, or if others took this one away before it was whole.
  package static func create(_ record: ClaimRecord, at path: VolumePath, lease: Lease) throws(VolumeError) -> Claim? {
    let (watch, bytes, began) = (Watch(), try record.encoded(), ContinuousClock.now)
    var keeper: LeaseRenewer?
    do {
      let created = try DurableFile.create(path, bytes) { file in
        keeper = lease.keeping(file) { watch.body.withLock { $0 }?() }
      }
      guard let file = created, let keeper else { return nil }
      let claim = Claim(record, try KnownFile(path, file, bytes), file, keeper, watch)
      // While it was empty nobody touched it: who was stopped then for longer than a lease may come when the job is done.
      if ContinuousClock.now - began < lease.duration / 3 { return claim }
      return try claim.place.isInPlace() ? claim : nil
    } catch {
      keeper?.cancel()
      throw error
    }
  }

  private final class Watch: Sendable {
    let body = Mutex<(@Sendable () -> Void)?>(nil)
  }

  /// Calls `body` after each touch.
  package func afterEachTouch(_ body: @escaping @Sendable () -> Void) {
    watch.body.withLock { $0 = body }
  }

  /// Calls `body` once if it cannot be touched for two thirds of its lease, with how long that has been so.
  package func onLapse(_ body: @escaping @Sendable (Duration) -> Void) {
    keeper.onLapse(body)
  }

  /// For how long its job is this worker's if it is not touched again: others may begin it after a lease, and to end it takes time.
  package var left: Duration { keeper.left }

  /// The longest time that it went untouched. After a whole lease others may have taken the job over, and be done with it.
  package var longestGap: Duration { keeper.longestGap }

  /// Touches it no more, because the job is over, or another's.
  package func leave() {
    keeper.cancel()
    watch.body.withLock { $0 = nil }
  }

  /// What happens now to its job, for the audit log.
  package func entry(_ event: AuditEntry.Event) -> AuditEntry {
    var entry = AuditEntry(event, id: record.id)
    entry.attempt = record.attempt
    entry.topic = record.envelope.topic
    entry.requestId = record.envelope.requestId.text
    entry.requestDigest = digest
    entry.keyId = record.keyId
    entry.note(record.envelope.approval)
    if event == .claimed || event == .takenOver { entry.reason = record.envelope.approval?.reason }
    return entry
  }

  /// Whether the claim's file still has its name. Throws when the volume does not say: that is no reason to give a job up.
  ///
  /// May block for half a second; tasks ask ``staysInPlace()``.
  package func isInPlace() throws(VolumeError) -> Bool {
    // Who has put it aside by mistake puts it back at once.
    for pause in [0, 20_000, 100_000, 400_000] as [UInt32] {
      if pause > 0 { usleep(pause) }
      if let answer = try isInPlaceNow() { return answer }
    }
    return false
  }

  /// The same, and no other task waits meanwhile.
  package func staysInPlace() async throws -> Bool {
    if let answer = try isInPlaceNow() { return answer }
    return try await onThread { try self.isInPlace() }
  }

  /// The same, without waiting: `nil` when the file is there, but not by its name, which may pass.
  func isInPlaceNow() throws(VolumeError) -> Bool? {
    var status = stat()
    guard fstat(file.rawValue, &status) == 0 else {
      let cause = Errno(rawValue: Glibc.errno)
      if cause.saysGone { return false }
      throw VolumeError("looking at", path, cause)
    }
    if status.st_nlink == 0 { return false }
    return try place.isInPlace() ? true : nil
  }

  deinit {
    keeper.cancel()
    try? file.close()
  }
}

extension ClaimRecord {
  /// Whether both are of one run of the job: of an attempt and of those that took over from it.
  package func isOfSameRun(as other: ClaimRecord) -> Bool {
    guard let run, let otherRun = other.run else { return envelope.requestId == other.envelope.requestId }
    return run == otherRun
  }

  package func encoded() throws(VolumeError) -> [UInt8] {
    do {
      return try compactJSON(self) + [UInt8(ascii: "\n")]
    } catch {
      throw VolumeError("encoding the claim of", FilePath(id.text), .invalidArgument)
    }
  }

  package init?(json: [UInt8]) {
    guard let record = try? JSONDecoder().decode(ClaimRecord.self, from: Data(json)) else { return nil }
    self = record
  }
}
