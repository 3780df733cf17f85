package import Jobs
import SystemPackage

/// The signed requests that have been started, so that none is started again: not after a restart, not by another
/// worker of the volume, and not after another request has replaced the job's result.
///
/// A record is created exclusively, after the claim and before PUBACK. It has the claim's ``ClaimRecord/run``, as have
/// the claims of later attempts: so a worker that takes the job over knows whether the record is of the run that it
/// continues, or of an earlier one. If a writer dies before its record is complete, its claim remains, and the next
/// attempt completes the record.
package struct ReplayGuard: Sendable {
  private let folder: VolumePath

  /// The number of records in a shard that are checked for expiry with each new record.
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
    /// The run that was started for it.
    package var run: String
    /// The time of the start.
    package var begun: String
    /// The end of the signature's validity, in milliseconds since 1970: until then the record must be kept.
    package var expires: Int64
  }

  /// Records that the run of `claim` starts for `request`. Returns the record of another run if the request was started
  /// before; then it must not start again.
  package func begin(_ request: JobRequest, _ claim: ClaimRecord) throws(VolumeError) -> Record? {
    guard let signature = request.signature, let key = request.requestID else { return nil }
    let record = Record(
      requestId: key, id: claim.id, run: claim.run ?? "", begun: Timestamp.now.description,
      expires: signature.expires.millisecondsSince1970)
    let path = path(of: key)
    let bytes = try DurableFile.line(record, for: path)
    try DurableFile.makeFolder(path.folder)
    if try DurableFile.createWhole(path, bytes) { return nil }
    guard let earlier = try read(path) else {
      guard claim.attempt > 1 else {
        // Started for a job of another id, by a worker that is still writing or has died.
        return Record(requestId: key, id: claim.id, run: "", begun: "an unknown time", expires: record.expires)
      }
      try DurableFile.replace(path, bytes)
      return nil
    }
    return earlier.run == record.run && !record.run.isEmpty ? nil : earlier
  }

  /// Forgets the run of `claim`, which has not begun after all: the request may begin, in this run or another.
  package func forget(_ request: JobRequest, _ claim: ClaimRecord) throws(VolumeError) {
    guard request.signature != nil, let key = request.requestID,
      let file = try KnownFile.read(path(of: key), .setAside),
      let record = decodedJSON(Record.self, file.bytes), record.run == claim.run
    else { return }
    try file.remove()
  }

  /// Removes expired records from the shard of `request`. Each new record clears its own shard, so that the number
  /// stays bounded.
  package func clear(beside request: JobRequest, at now: Timestamp = .now) throws(VolumeError) {
    guard request.signature != nil, let key = request.requestID else { return }
    let shard = path(of: key).folder
    let limit = now.millisecondsSince1970 - 2 * Int64(RequestSignature.leeway / .milliseconds(1))
    for name in try DurableFile.names(in: shard).shuffled().prefix(ReplayGuard.cleared) {
      let path = shard.appending(name)
      guard let file = try KnownFile.read(path, .setAside), let record = decodedJSON(Record.self, file.bytes),
        record.expires < limit
      else {
        continue
      }
      try file.remove()
    }
  }

  /// The path of a key's record. The key may be any text, so its digest is the name; the first two digits are the
  /// shard.
  private func path(of key: String) -> VolumePath {
    let name = digestText(of: Array(key.utf8)).dropFirst("sha256:".utf8.count)
    return folder.appending(String(name.prefix(2))).appending("\(name).json")
  }

  private func read(_ path: VolumePath) throws(VolumeError) -> Record? {
    guard let bytes = try KnownFile.read(path, .setAside)?.bytes else { return nil }
    return decodedJSON(Record.self, bytes)
  }
}

extension Ledger {
  /// The signed requests that have been started.
  package var seen: ReplayGuard { ReplayGuard(folder: directory.seen) }
}
