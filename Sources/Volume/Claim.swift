private import Glibc
package import Jobs
private import Synchronization
import SystemPackage

/// The content of a claim file: a worker and its request.
package struct ClaimRecord: Codable, Sendable {
  /// The job.
  package var id: JobID
  /// The attempt, from 1; 0 if it did not begin: see ``Claim/noteUnbegun()``.
  package var attempt: Int
  /// The worker's id.
  package var worker: String
  /// The process of the worker.
  package var process: ProcessIdentity
  /// The id that all attempts of one run share. `nil` in claims of version 0.1.
  package var run: String?
  /// The topic filter of the worker; only workers of the same filter take over. `nil` in a dry run, which is not taken
  /// over.
  package var filter: String?
  /// The request.
  package var envelope: Envelope
  /// The key that signed the request, as this worker verified it.
  package var keyId: String?
}

/// A claim file on the volume, perhaps another worker's.
package struct ClaimFile: Sendable {
  package let file: KnownFile
  package let id: JobID
  package let attempt: Int
  /// `nil` if its writer died before it was complete: then the request was not acknowledged, and the broker sends it
  /// again.
  package let record: ClaimRecord?

  package var path: VolumePath { file.path }

  /// Whether a dry run holds the job. Its end answers no request.
  package var isOfDryRun: Bool { record.map { $0.filter == nil } ?? false }

  /// Reads the file of `name`; `nil` if it is gone.
  package static func read(_ name: ClaimName, _ odd: DurableFile.OddEntries) throws(VolumeError) -> ClaimFile? {
    guard let file = try KnownFile.read(name.path, odd) else { return nil }
    return ClaimFile(file: file, id: name.id, attempt: name.attempt, record: decodedJSON(ClaimRecord.self, file.bytes))
  }
}

/// A job that this worker holds, as long as there is no higher attempt.
package final class Claim: Sendable {
  /// The content of its file.
  package let record: ClaimRecord
  package var path: VolumePath { place.path }
  package let place: KnownFile
  private let digest: String
  private let file: FileDescriptor
  private let renewer: LeaseRenewer
  private let watch: Watch

  private init(
    _ record: ClaimRecord, _ place: KnownFile, _ file: FileDescriptor, _ renewer: LeaseRenewer, _ watch: Watch
  ) {
    self.record = record
    self.place = place
    self.file = file
    self.renewer = renewer
    self.watch = watch
    digest = record.envelope.digest
  }

  /// Creates the file, and touches it every third of `lease` once it is complete: syncing it to disk may take longer
  /// than a lease. `nil` if there is a file already, or if another worker removed this one before it was complete.
  package static func create(_ record: ClaimRecord, at path: VolumePath, lease: Lease) throws(VolumeError) -> Claim? {
    let (watch, bytes, began) = (Watch(), try DurableFile.line(record, for: path), ContinuousClock.now)
    var renewer: LeaseRenewer?
    do throws(VolumeError) {
      let created = try DurableFile.create(path, bytes) { file in
        renewer = lease.keeping(file) { watch.body.withLock { $0 }?() }
      }
      guard let file = created, let renewer else { return nil }
      let place: KnownFile
      do throws(VolumeError) {
        place = try KnownFile(path, file, bytes)
      } catch {
        try? file.close()
        throw error
      }
      let claim = Claim(record, place, file, renewer, watch)
      // The empty file was not touched: if this process was stopped then for longer than a lease, the job may be done
      // by now.
      if ContinuousClock.now - began < lease.duration / 3 { return claim }
      return try claim.place.isInPlace() ? claim : nil
    } catch {
      renewer?.cancel()
      throw error
    }
  }

  private final class Watch: Sendable {
    let body = Mutex<(@Sendable () -> Void)?>(nil)
  }

  /// Calls `body` after each try to touch the claim.
  package func afterEachTouch(_ body: @escaping @Sendable () -> Void) {
    watch.body.withLock { $0 = body }
  }

  /// Calls `body` once if no touch succeeds for two thirds of the lease, with the time since the last one.
  package func onLapse(_ body: @escaping @Sendable (Duration) -> Void) {
    renewer.onLapse(body)
  }

  /// The time that remains to end the job if no further touch succeeds: after a lease others may start it.
  package var left: Duration { renewer.left }

  /// The longest time between two touches. After a whole lease others may have taken the job over and finished it.
  package var longestGap: Duration { renewer.longestGap }

  /// Stops touching the file, because the job is over or another worker's.
  package func leave() {
    renewer.cancel()
    watch.body.withLock { $0 = nil }
  }

  /// Notes in the file that its first attempt did not begin, and does not count. For a full volume: one byte is
  /// overwritten in its place. Does nothing where that fails.
  package func noteUnbegun() {
    let start = Array(#"{"attempt":"#.utf8)
    // Keys are sorted.
    guard place.bytes.starts(with: start + Array("1,".utf8)) else { return }
    _ = try? file.store([UInt8(ascii: "0")], at: Int64(start.count))
    _ = try? DurableFile.sync(file)
  }

  /// An audit entry about its job.
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

  /// Whether the claim's file still has its name. Throws if the volume does not answer: that is no reason to give the
  /// job up. May wait for half a second, on a thread of its own.
  package func staysInPlace() async throws -> Bool {
    if let answer = try isInPlaceNow() { return answer }
    return try await onThread { try self.isInPlace() }
  }

  /// The same, on the calling thread, which is no task's.
  func isInPlace() throws(VolumeError) -> Bool {
    // A worker that moved it aside by mistake moves it back at once.
    for pause in [0, 20_000, 100_000, 400_000] as [UInt32] {
      if pause > 0 { usleep(pause) }
      if let answer = try isInPlaceNow() { return answer }
    }
    return false
  }

  /// The same, without waiting: `nil` if the file exists without its name, which may be temporary.
  func isInPlaceNow() throws(VolumeError) -> Bool? {
    do throws(Errno) {
      if try status(of: file).st_nlink == 0 { return false }
    } catch {
      // A server that is away for a moment may say so of everything: its name tells.
      guard error.saysGone else { throw VolumeError("looking at", path, error) }
    }
    if try place.isInPlace() { return true }
    // Without its folder the volume is away: it is unmounted, or renamed.
    _ = try onVolume("looking at", path.folder) { () throws(Errno) in try path.folder.status() }
    return nil
  }

  /// Makes the folders of the volume's state again, if somebody removed them with the claim. Does nothing while something
  /// else is in the volume's place: it is unmounted.
  package func remakeState(in directory: JobsDirectory) throws(VolumeError) {
    guard let device = try? status(of: file).st_dev, device == (try? directory.top.status().st_dev) else { return }
    try directory.makeState()
  }

  deinit {
    renewer.cancel()
    try? file.close()
  }
}

extension ClaimRecord {
  /// Whether both are attempts of the same run: a first attempt and those that took over from it.
  package func isOfSameRun(as other: ClaimRecord) -> Bool {
    guard let run, let otherRun = other.run else { return envelope.requestId == other.envelope.requestId }
    return run == otherRun
  }
}
