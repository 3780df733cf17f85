import Crypto
private import FoundationEssentials
package import Jobs
import SystemPackage

/// Which signed requests have been begun, so that none is begun again: not after a restart, not by another worker of the
/// volume, not after the job's result is another request's.
///
/// A record is created exclusively, after the claim and before the acknowledgement. It bears the claim's ``ClaimRecord/run``,
/// which the claims of later attempts have, too: so whoever takes the job over knows whether the record is of the run that
/// it goes on with, or of an earlier one. A record that its writer died over is of a run whose claim still stands, and is
/// made whole by its next attempt.
package struct ReplayGuard: Sendable {
  private let folder: VolumePath

  /// Of how many records in a shard it is looked whether they have expired, for each that is added.
  private static let cleared = 64

  init(folder: VolumePath) {
    self.folder = folder
  }

  /// One record.
  package struct Record: Codable, Sendable {
    /// The request's key.
    package var requestId: String
    /// Its job.
    package var id: JobID
    /// The run that was begun for it.
    package var run: String
    /// When it was begun.
    package var begun: String
    /// Until when the record must be kept, in milliseconds since 1970: until then the signature is good.
    package var expires: Int64
  }

  /// Notes that the run of `claim` begins with `request`. Returns the record of another run, if the request was begun before;
  /// then it must not be begun again.
  package func begin(_ request: JobRequest, _ claim: ClaimRecord) throws(VolumeError) -> Record? {
    guard let signature = request.signature, let key = request.requestID else { return nil }
    let record = Record(
      requestId: key, id: claim.id, run: claim.run ?? "", begun: Timestamp.now.description,
      expires: signature.expires.millisecondsSince1970)
    let path = path(of: key)
    let bytes = try encoded(record, path)
    try DurableFile.makeFolder(path.folder)
    if try DurableFile.createWhole(path, bytes) { return nil }
    guard let earlier = try read(path) else {
      guard claim.attempt > 1 else {
        // Begun for a job of another id, by a worker that is still writing or died over it.
        return Record(requestId: key, id: claim.id, run: "", begun: "an unknown time", expires: record.expires)
      }
      try DurableFile.replace(path, bytes)
      return nil
    }
    return earlier.run == record.run && !record.run.isEmpty ? nil : earlier
  }

  /// Removes records whose time is over from where that of `request` lies. Each new one makes room where it comes to lie, so
  /// that they do not grow without end.
  package func clear(beside request: JobRequest, at now: Timestamp = .now) throws(VolumeError) {
    guard request.signature != nil, let key = request.requestID else { return }
    let shard = path(of: key).folder
    let limit = now.millisecondsSince1970 - 2 * Int64(RequestSignature.leeway / .milliseconds(1))
    for name in try DurableFile.names(in: shard).shuffled().prefix(ReplayGuard.cleared) {
      let path = shard.appending(name)
      guard let file = try KnownFile.read(path, .setAside), let record = record(file.bytes), record.expires < limit
      else {
        continue
      }
      try file.remove()
    }
  }

  /// The key may be any text, so its digest is the name; its first two digits are the shard.
  private func path(of key: String) -> VolumePath {
    let name = String(hexadecimal: SHA256.hash(data: Array(key.utf8)))
    return folder.appending(String(name.prefix(2))).appending("\(name).json")
  }

  private func read(_ path: VolumePath) throws(VolumeError) -> Record? {
    guard let bytes = try KnownFile.read(path, .setAside)?.bytes else { return nil }
    return record(bytes)
  }

  private func record(_ bytes: [UInt8]) -> Record? {
    try? JSONDecoder().decode(Record.self, from: Data(bytes))
  }

  private func encoded(_ record: Record, _ path: VolumePath) throws(VolumeError) -> [UInt8] {
    guard let bytes = try? compactJSON(record) else { throw VolumeError("encoding", path, .invalidArgument) }
    return bytes
  }
}

extension Ledger {
  /// Which signed requests have been begun.
  package var seen: ReplayGuard { ReplayGuard(folder: directory.seen) }
}
