package import Jobs

/// The mark of a job that no worker has yet and that somebody has canceled: `.worker/canceled/<id>.json`.
///
/// The worker that takes the job answers it as canceled, and removes the mark before it releases its claim. Whoever makes
/// a mark must look for a claim after that: a worker that claimed the job before may not have seen it.
package struct CancelMark: Sendable, Codable {
  /// Who canceled it.
  package let by: String
  /// The key of the canceled request; `nil` for the next one that a worker takes.
  package let requestId: String?
  /// The volume's time, in nanoseconds since 1970.
  private let made: Int64

  /// A mark without a key is for a request that the broker has: no worker's session keeps one for longer, unless somebody
  /// has set so.
  private static let lifetime = Duration.seconds(7 * 86400)

  /// Makes the mark of `id`, or replaces it, durably. Removes those that no worker looks at any more.
  package static func put(
    _ id: JobID, of requestId: String?, by: String, in directory: JobsDirectory
  ) throws(VolumeError) {
    let mark = CancelMark(by: by, requestId: requestId, made: try directory.time())
    try DurableFile.makeFolder(directory.canceled)
    for other in try names(in: directory) {
      guard let old = try read(other, in: directory), !old.holds(at: mark.made) else { continue }
      try remove(other, in: directory)
    }
    let path = directory.cancelMark(of: id)
    try DurableFile.replace(path, DurableFile.line(mark, for: path))
  }

  /// The mark of `id`; `nil` if there is none.
  package static func read(_ id: JobID, in directory: JobsDirectory) throws(VolumeError) -> CancelMark? {
    try KnownFile.read(directory.cancelMark(of: id), .passOver).flatMap { decodedJSON(CancelMark.self, $0.bytes) }
  }

  /// Removes the mark of `id`, if there is one.
  package static func remove(_ id: JobID, in directory: JobsDirectory) throws(VolumeError) {
    try DurableFile.remove(directory.cancelMark(of: id))
  }

  /// The jobs with a mark.
  package static func names(in directory: JobsDirectory) throws(VolumeError) -> [JobID] {
    try DurableFile.names(in: directory.canceled).compactMap { name in
      name.hasSuffix(".json") ? try? JobID(String(name.dropLast(".json".count))) : nil
    }
  }

  /// Whether it still means something at `now`, the volume's time.
  func holds(at now: Int64) -> Bool { Duration.nanoseconds(now) - .nanoseconds(made) < CancelMark.lifetime }
}

extension Ledger {
  /// Who canceled this request before a worker took it; `nil` if nobody has. Ask with the job's claim.
  package func canceler(of envelope: Envelope, _ id: JobID) throws(VolumeError) -> String? {
    guard filter != nil, let mark = try CancelMark.read(id, in: directory) else { return nil }
    if let key = mark.requestId { return envelope.requestId.text == key ? mark.by : nil }
    return mark.holds(at: try lease.clock.now()) ? mark.by : nil
  }
}

extension JobsDirectory {
  /// Marks of canceled jobs that no worker has yet.
  var canceled: VolumePath { state.appending("canceled") }

  fileprivate func cancelMark(of id: JobID) -> VolumePath { canceled.appending("\(id).json") }
}
