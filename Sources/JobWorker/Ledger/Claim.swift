private import Dispatch
private import FoundationEssentials
private import Glibc
private import Synchronization
import SystemPackage

/// What a claim file says: who works on which request.
public struct ClaimRecord: Codable, Sendable {
  /// The job.
  public var id: JobID
  /// Counts from 1.
  public var attempt: Int
  /// The worker's id.
  public var worker: String
  /// The process that holds it.
  public var process: ProcessIdentity
  /// What the attempts of one run have in common. `nil` in claims of version 0.1.
  public var run: String?
  /// The topic filter of the worker; only workers of the same one take over. `nil` in a dry run, which nobody does.
  public var filter: String?
  /// The request.
  public var envelope: Envelope
  /// The key that signed the request, as the worker found that made this claim.
  public var keyId: String?
}

/// What the name of a claim file says.
struct ClaimName: Sendable {
  let path: VolumePath
  let id: JobID
  let attempt: Int
}

/// A claim file as it lies on the volume, perhaps somebody else's.
struct ClaimFile: Sendable {
  let path: VolumePath
  let id: JobID
  let attempt: Int
  /// `nil` when its writer died before it was whole; then its request was not acknowledged, and comes again.
  let record: ClaimRecord?
}

/// A job that this worker holds, as long as no higher attempt exists.
public final class Claim: Sendable {
  /// What its file says.
  public let record: ClaimRecord
  let path: VolumePath
  private let digest: String
  private let file: FileDescriptor
  private let keeper: LeaseKeeper
  private let watch: Watch

  /// Touches the file every third of `lease` from now on.
  init(_ record: ClaimRecord, path: VolumePath, file: FileDescriptor, lease: Lease) {
    self.record = record
    self.path = path
    self.file = file
    digest = record.envelope.digest
    let watch = Watch()
    self.watch = watch
    keeper = lease.keeping(file) { watch.body.withLock { $0 }?() }
  }

  private final class Watch: Sendable {
    let body = Mutex<(@Sendable () -> Void)?>(nil)
  }

  /// Calls `body` after each touch.
  func afterEachTouch(_ body: @escaping @Sendable () -> Void) {
    watch.body.withLock { $0 = body }
  }

  /// Touches it no more, because the job is over, or another's.
  func leave() {
    keeper.cancel()
    watch.body.withLock { $0 = nil }
  }

  /// What happens now to its job, for the audit log.
  func entry(_ event: AuditEntry.Event) -> AuditEntry {
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

  /// Whether the claim's file is still in its folder.
  var isLinked: Bool {
    var status = stat()
    return fstat(file.rawValue, &status) == 0 && status.st_nlink > 0
  }

  deinit {
    keeper.cancel()
    try? file.close()
  }
}

extension ClaimRecord {
  func encoded() throws(VolumeError) -> [UInt8] {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return try Array(encoder.encode(self)) + [UInt8(ascii: "\n")]
    } catch {
      throw VolumeError("encoding the claim of", FilePath(id.text), .invalidArgument)
    }
  }

  init?(json: [UInt8]) {
    guard let record = try? JSONDecoder().decode(ClaimRecord.self, from: Data(json)) else { return nil }
    self = record
  }
}
