private import Glibc
package import Jobs
import SystemPackage

/// A deferred or parked request on the volume.
package struct DeferredRequest: Sendable {
  package let file: KnownFile
  package let id: JobID
  package let envelope: Envelope
  package var path: VolumePath { file.path }

  package init?(_ file: KnownFile, _ id: JobID) {
    guard let envelope = decodedJSON(Envelope.self, file.bytes) else { return nil }
    self.file = file
    self.id = id
    self.envelope = envelope
  }
}

/// Requests on the volume: a busy worker defers them here, so that none waits behind a job while another worker is
/// idle. A second queue holds the requests that wait for approval.
///
/// A deferred request is a file, created exclusively and synced before PUBACK. The claim decides which worker runs it.
/// One whose job has a claim waits; one that has its result is removed.
package struct DeferredQueue: Sendable {
  /// The limit for deferred requests; further ones stay with the broker, which is the real queue.
  package static let capacity = 64

  /// The limit for parked requests; further ones are refused.
  package static let approvalCapacity = 1000

  package let folder: VolumePath
  package let lease: Lease

  /// Adds a request durably. A redelivery of a request that is here already is not added again.
  ///
  /// If this process stood still after it made the file, another worker may have taken the request up. `isSettled` tells
  /// whether the request has a claim or an answer; then it is not written again.
  package func put(
    _ envelope: Envelope, _ id: JobID, isSettled: () throws(VolumeError) -> Bool = { false }
  ) throws(VolumeError) {
    try DurableFile.makeFolder(folder)
    if envelope.requestId.mayRepeat {
      guard try requests(of: envelope, id).isEmpty else { return }
    }
    try create(id, DurableFile.line(envelope, for: folder), isSettled: isSettled)
  }

  /// Adds a request so that a reader finds either all of it or an empty file: readers need not check incomplete files
  /// again and again. See ``removeBlanks()``.
  package func putWhole(_ envelope: Envelope, _ id: JobID) throws(VolumeError) {
    try DurableFile.makeFolder(folder)
    let path = try create(id, [])
    try DurableFile.replace(path, DurableFile.line(envelope, for: path))
  }

  /// Creates a file with a free name, exclusively.
  @discardableResult
  private func create(
    _ id: JobID, _ bytes: [UInt8], isSettled: () throws(VolumeError) -> Bool = { false }
  ) throws(VolumeError) -> VolumePath {
    var instant = try lease.clock.now()
    while true {
      let (path, began) = (folder.appending(DeferredQueue.name(instant, id)), ContinuousClock.now)
      if let file = try DurableFile.create(path, bytes) {
        defer { try? file.close() }
        // A worker that finds the file incomplete after a lease removes it. If this process stood still meanwhile, the
        // request is written again, unless it was taken up instead.
        if ContinuousClock.now - began < lease.duration / 3 || DurableFile.isNamed(file, path) { return path }
        if try isSettled() { return path }
      }
      instant &+= 1
    }
  }

  /// Removes expired empty files: their writers died before PUBACK.
  package func removeBlanks() throws(VolumeError) {
    for (_, _, name) in try DeferredQueue.parsedNames(in: folder) {
      let path = folder.appending(name)
      guard let status = try? path.status(), status.st_size == 0, try lease.hasExpired(path),
        let blank = try KnownFile.read(path, .setAside), blank.bytes.isEmpty
      else { continue }
      try blank.remove()
      try DurableFile.remove(DurableFile.draft(of: path))
    }
  }

  /// The number of requests.
  package func count() throws(VolumeError) -> Int {
    try DurableFile.names(in: folder).count
  }

  /// The requests, oldest first, for any job or for `wanted`.
  package func requests(of wanted: JobID? = nil) throws(VolumeError) -> [DeferredRequest] {
    var found: [DeferredRequest] = []
    for name in try names() where wanted == nil || DeferredQueue.parse(name)?.id == wanted {
      if let request = try request(named: name) { found.append(request) }
    }
    return found
  }

  /// The names of the requests, oldest first. A worker that takes one need not read all.
  package func names() throws(VolumeError) -> [String] {
    try DeferredQueue.parsedNames(in: folder).map(\.name)
  }

  /// Reads the request of that name; `nil` if it is gone. An incomplete file that has expired is removed: its request
  /// was not acknowledged.
  package func request(named name: String) throws(VolumeError) -> DeferredRequest? {
    let path = folder.appending(name)
    guard let (_, id) = DeferredQueue.parse(name), let file = try KnownFile.read(path, .setAside) else { return nil }
    if let deferred = DeferredRequest(file, id) { return deferred }
    if try lease.hasExpired(path) { try file.remove() }
    return nil
  }

  /// The entries of this same request.
  package func requests(of envelope: Envelope, _ id: JobID) throws(VolumeError) -> [DeferredRequest] {
    try requests(of: id).filter { envelope.requestId.isSame(as: $0.envelope.requestId.text) }
  }

  /// The names with their nanoseconds on the volume's clock and their jobs, oldest first.
  static func parsedNames(in folder: VolumePath) throws(VolumeError) -> [(instant: Int64, id: JobID, name: String)] {
    let named = try DurableFile.names(in: folder).compactMap { name -> (instant: Int64, id: JobID, name: String)? in
      parse(name).map { ($0.instant, $0.id, name) }
    }
    return named.sorted { ($0.instant, $0.name) < ($1.instant, $1.name) }
  }

  /// Moves a request from another queue here, unchanged; `false` if another worker has removed it.
  package func admit(_ deferred: DeferredRequest) throws(VolumeError) -> Bool {
    try DurableFile.makeFolder(folder)
    return try DurableFile.move(deferred.path, to: DeferredQueue.freePath(like: deferred.path.name, in: folder))
  }

  /// Removes a request; `false` if another worker has removed it.
  package func remove(_ deferred: DeferredRequest) throws(VolumeError) -> Bool {
    try deferred.file.remove()
  }

  // MARK: Names and contents

  /// The name for a request for `id` that arrived at `instant`, in nanoseconds on the volume's clock.
  package static func name(_ instant: Int64, _ id: JobID) -> String { "\(instant)-\(id).json" }

  /// Parses a name; `nil` for other files.
  package static func parse(_ name: String) -> (instant: Int64, id: JobID)? {
    guard name.hasSuffix(".json"), let dash = name.firstIndex(of: "-"), let instant = Int64(name[..<dash]),
      let id = try? JobID(String(name[name.index(after: dash)...].dropLast(5)))
    else { return nil }
    return (instant, id)
  }

  /// A free path in `folder` for a request that was named `name` in another queue: with the same or a slightly later
  /// time.
  static func freePath(like name: String, in folder: VolumePath) -> VolumePath {
    var path = folder.appending(name)
    guard case (var instant, let id)? = parse(name) else { return path }
    while DurableFile.exists(path) {
      // Somebody may have chosen the largest number as a name.
      instant &+= 1
      path = folder.appending(DeferredQueue.name(instant, id))
    }
    return path
  }
}

extension Ledger {
  /// Adds a request that has no claim to the audit log and to the queue of `filter`. See
  /// ``DeferredQueue/put(_:_:isSettled:)``.
  ///
  /// `isCurrent` tells whether the connection that brought it is open. If it is not, this process may have stood still
  /// before it made the file, and another worker may have received the request again: then one of the two files goes.
  package func deferRequest(
    _ envelope: Envelope, _ id: JobID, signedBy key: String?, for filter: String, isCurrent: () -> Bool
  ) throws(VolumeError) {
    try audit.record(AuditEntry(.deferred, id: id, of: envelope, signedBy: key))
    TestStopPoint.deferring.reached()
    let queue = deferredQueue(of: filter)
    try queue.put(envelope, id) { () throws(VolumeError) in try isSettled(envelope, id) }
    guard !envelope.requestId.mayRepeat, !isCurrent() else { return }
    var again = envelope
    again.requestId = again.requestId.asRedelivered
    let copies = try queue.requests(of: again, id)
    guard let own = copies.first(where: { $0.envelope.requestId == envelope.requestId }) else { return }
    let hasOthers = try copies.count > 1 ? true : isSettled(again, id)
    if hasOthers { _ = try queue.remove(own) }
  }

  private func isSettled(_ envelope: Envelope, _ id: JobID) throws(VolumeError) -> Bool {
    if try hasClaim(id, for: envelope.requestId) { return true }
    return try hasAnswered(envelope, id)
  }
}
