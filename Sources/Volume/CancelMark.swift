package import Jobs
import Logging

/// The mark of a job that somebody has canceled, for the worker that takes it next: no worker has it yet, or its worker may
/// be dead.
///
/// It is for one request, whose key is in its name as a digest, `.worker/canceled/<id>~<digest>.json`, or for the next
/// one that a worker takes: `.worker/canceled/<id>.json`.
///
/// The worker that takes the request answers it as canceled, and removes the mark before it releases its claim; one that
/// rejects a request which it has judged removes the mark, too. Whoever makes a mark must look for a claim after that: a worker that claimed
/// the job before may not have seen it, and has to be asked. What nobody needs any more is removed when the next mark is
/// made.
///
/// A mark without a key is for requests that were sent before it. The sender of a later one exempts its own by a file in
/// the place of a mark with its key.
package struct CancelMark: Sendable, Codable, Equatable {
  /// The job.
  package let id: JobID
  /// Who canceled it.
  package let by: String
  /// The key of the canceled request; `nil` for the next one that a worker takes.
  package let requestId: String?
  /// The volume's time, in nanoseconds since 1970.
  private let made: Int64

  /// Tells it from every other mark: the volume's time is the same for a while.
  fileprivate let nonce: String
  /// The nonce of the mark without a key that is not for this request.
  fileprivate var exemptedFrom: String?
  /// Whether this is no mark, and only exempts.
  fileprivate var onlyExempts: Bool?

  /// A mark without a key is for a request at the broker, where sessions expire after 7 days by default. A request on the
  /// volume may wait for longer.
  private var lifetime: Duration { .seconds((requestId == nil ? 7 : 90) * 86400) }

  /// Makes the mark, or replaces it, durably, and returns what it made. Removes those that no worker looks at any more.
  ///
  /// Where requests were exempted from a mark without a key, another such mark is for them: each gets one with its key.
  package static func put(
    _ id: JobID, of requestId: String?, by: String, in directory: JobsDirectory
  ) throws(VolumeError) -> [CancelMark] {
    let now = try directory.time()
    try DurableFile.makeFolder(directory.canceled)
    var others: [CancelMark] = []
    for other in try all(in: directory) {
      // What another user has made may have to stay.
      if !other.holds(at: now) { try? other.remove(from: directory) } else if other.id == id { others.append(other) }
    }
    let next = others.first { $0.requestId == nil }
    let exempted = others.filter { $0.exemptedFrom != nil && $0.exemptedFrom == next?.nonce }
    let keys =
      requestId == nil && !exempted.isEmpty
      ? exempted.filter { $0.onlyExempts == true }.map(\.requestId) : [requestId]
    var marks: [CancelMark] = []
    for key in keys {
      var mark = CancelMark(id: id, by: by, requestId: key, made: now, nonce: DurableFile.nonce)
      if key != nil { mark.exemptedFrom = exempted.first { $0.requestId == key }?.exemptedFrom }
      try mark.write(to: directory)
      marks.append(mark)
    }
    return marks
  }

  /// Exempts a request that is about to be sent from the mark without a key, if there is one.
  package static func exempt(
    _ id: JobID, _ requestId: String, by: String, in directory: JobsDirectory
  ) throws(VolumeError) {
    guard let next = try read(name(of: id, nil), in: directory) else { return }
    var exemption = CancelMark(
      id: id, by: by, requestId: requestId, made: try directory.time(), nonce: DurableFile.nonce)
    (exemption.exemptedFrom, exemption.onlyExempts) = (next.nonce, true)
    try exemption.write(to: directory)
  }

  private func write(to directory: JobsDirectory) throws(VolumeError) {
    let path = directory.canceled.appending(CancelMark.name(of: id, requestId))
    _ = try DurableFile.isWorkers(path)
    // The worker may be another user.
    try DurableFile.replace(path, DurableFile.line(self, for: path), mode: 0o644)
  }

  /// The marks of `id`, that without a key last, if no request is exempted from it.
  package static func all(of id: JobID, in directory: JobsDirectory) throws(VolumeError) -> [CancelMark] {
    let all = try all(in: directory).filter { $0.id == id }
    let exempted = all.filter { $0.onlyExempts == true }.map(\.exemptedFrom)
    return all.filter { $0.onlyExempts != true && !exempted.contains($0.nonce) }
      .sorted { ($0.requestId ?? "~") < ($1.requestId ?? "~") }
  }

  private static func all(in directory: JobsDirectory) throws(VolumeError) -> [CancelMark] {
    var marks: [CancelMark] = []
    for name in try DurableFile.names(in: directory.canceled) {
      if let mark = try read(name, in: directory) { marks.append(mark) }
    }
    return marks
  }

  /// The mark with this name. `nil` if there is none, or if it cannot be read or is another's: anybody may have made it,
  /// and it keeps no worker from its job.
  fileprivate static func read(_ name: String, in directory: JobsDirectory) throws(VolumeError) -> CancelMark? {
    let path = directory.canceled.appending(name)
    do throws(VolumeError) {
      let mark = try KnownFile.read(path, .passOver).flatMap { decodedJSON(CancelMark.self, $0.bytes) }
      return mark.flatMap { self.name(of: $0.id, $0.requestId) == name ? $0 : nil }
    } catch {
      guard error.isOfRights else { throw error }
      Logger(label: "volume").warning("a canceled job is not recognized: \(error)")
      return nil
    }
  }

  fileprivate static func name(of id: JobID, _ requestId: String?) -> String {
    guard let requestId else { return "\(id).json" }
    let digest = digestText(of: Array(requestId.utf8)).dropFirst("sha256:".utf8.count)
    return "\(id)~\(digest.prefix(32)).json"
  }

  /// Removes the mark, unless another one has its place by now.
  package func remove(from directory: JobsDirectory) throws(VolumeError) {
    let path = directory.canceled.appending(CancelMark.name(of: id, requestId))
    guard let file = try KnownFile.read(path, .passOver), decodedJSON(CancelMark.self, file.bytes) == self else {
      return
    }
    try file.remove()
  }

  /// Whether it still means something at `now`, the volume's time.
  func holds(at now: Int64) -> Bool { Duration.nanoseconds(now) - .nanoseconds(made) < lifetime }
}

extension Ledger {
  /// The mark that cancels this request; `nil` if nobody has canceled it. Ask with the job's claim.
  package func cancelMark(of envelope: Envelope, _ id: JobID) throws(VolumeError) -> CancelMark? {
    let own = try lastingMark(of: id, envelope.requestId.text)
    if let own, own.onlyExempts != true { return own }
    return try nextMark(of: id, without: own)
  }

  private func lastingMark(of id: JobID, _ key: String?) throws(VolumeError) -> CancelMark? {
    guard filter != nil, let mark = try CancelMark.read(CancelMark.name(of: id, key), in: directory),
      mark.holds(at: try lease.clock.now())
    else { return nil }
    return mark
  }

  /// The mark for whichever request comes next, if `own` does not exempt from it.
  private func nextMark(of id: JobID, without own: CancelMark?) throws(VolumeError) -> CancelMark? {
    guard let next = try lastingMark(of: id, nil), next.nonce != own?.exemptedFrom else { return nil }
    return next
  }

  /// Removes the mark of this request, which is answered now, and with `keyless` that for whichever comes next. A mark that
  /// stays is no reason to end.
  package func removeCancelMarks(of envelope: Envelope, _ id: JobID, keyless: Bool = true) {
    do throws(VolumeError) {
      let own = try lastingMark(of: id, envelope.requestId.text)
      // Before the own one, which may exempt from it.
      if keyless { try nextMark(of: id, without: own)?.remove(from: directory) }
      try own?.remove(from: directory)
    } catch {
      let metadata: Logger.Metadata = ["job": "\(id)"]
      Logger(label: "volume").warning(
        "the mark of a canceled job stays until somebody removes it: \(error)", metadata: metadata)
    }
  }
}

extension JobsDirectory {
  /// Marks of canceled jobs.
  var canceled: VolumePath { state.appending("canceled") }
}
