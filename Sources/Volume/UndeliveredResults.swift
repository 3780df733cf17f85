private import Glibc
package import Jobs
import SystemPackage

/// The results that the broker refused while the connection works: a result that an ACL, a limit or a quota forbids
/// must not keep its job claimed, or its worker from the next job.
///
/// One file for each job. A worker that retries renames the file to a name of its own, which only one worker can do,
/// and touches it meanwhile like a claim. After a worker's death the next one takes the file over in the same way.
package struct UndeliveredResults: Sendable {
  package let folder: VolumePath
  package let lease: Lease

  /// Stores a result durably after its first try. A stored result of the same job stays, and this one is dropped, unless
  /// a worker tries that one at this moment: it may be older.
  package func put(_ result: UndeliveredResult, of id: JobID) throws(VolumeError) {
    try DurableFile.makeFolder(folder)
    guard try names(of: id).allSatisfy(\.isHeld) else { return }
    let path = folder.appending(UndeliveredName(id, tries: 1, at: try lease.clock.now()).text)
    try DurableFile.replace(path, DurableFile.line(result, for: path))
  }

  /// The stored results by the time of the next try. Entries that no worker made are set aside.
  package func names(of id: JobID? = nil) throws(VolumeError) -> [UndeliveredName] {
    var names: [UndeliveredName] = []
    for name in try DurableFile.names(in: folder).compactMap(UndeliveredName.init) where id == nil || name.id == id {
      if try DurableFile.isWorkers(folder.appending(name.text)) { names.append(name) }
    }
    return names.sorted { ($0.next, $0.text) < ($1.next, $1.text) }
  }

  /// The results that are due now.
  package func due() throws(VolumeError) -> [UndeliveredName] {
    let names = try names()
    guard !names.isEmpty else { return [] }
    let moment = try lease.clock.now()
    var due: [UndeliveredName] = []
    for name in names {
      if try name.isHeld ? lease.hasExpired(folder.appending(name.text), at: moment) : name.isDue(at: moment) {
        due.append(name)
      }
    }
    return due
  }

  /// The exclusive right to try a result; `nil` if another worker has it, or if it is gone. A file that is no result of
  /// the job in its name is hidden and reported to `odd`.
  package func take(_ name: UndeliveredName, odd: (String) -> Void) throws(VolumeError) -> (
    HeldResult, UndeliveredResult
  )? {
    var path = folder.appending(name.text)
    do {
      guard let held = try hold(name) else { return nil }
      path = held.path
      if let bytes = try DurableFile.read(held.path), let result = UndeliveredResult(json: bytes, of: name.id) {
        return (held, result)
      }
      try held.setAside()
    } catch  where [.isDirectory, .tooManySymbolicLinkLevels, .invalidArgument, .fileTooLarge].contains(error.cause) {
      _ = try DurableFile.move(path, to: UndeliveredResults.hidden(path))
    }
    odd("'\(folder.appending(name.text))' holds no result of \(name.id); it was set aside")
    return nil
  }

  /// The hidden name of an odd file.
  fileprivate static func hidden(_ path: VolumePath) -> VolumePath {
    path.folder.appending(".odd-\(path.name)")
  }

  private func hold(_ name: UndeliveredName) throws(VolumeError) -> HeldResult? {
    let path = folder.appending(name.text)
    let own = folder.appending(name.held(by: DurableFile.nonce))
    let file: FileDescriptor
    do throws(Errno) {
      file = try path.openFile(O_RDWR)
    } catch {
      guard error.saysGone else { throw VolumeError("opening", path, error) }
      return nil
    }
    do {
      // Touch it before the rename: after it others check its age.
      try onVolume("touching", path) { () throws(Errno) in try touch(file) }
      // An NFS server may answer ENOENT when it gets the rename again after carrying it out.
      guard try DurableFile.move(path, to: own) || DurableFile.exists(own) else {
        try? file.close()
        return nil
      }
      return HeldResult(name, self, own, file)
    } catch {
      try? file.close()
      throw error
    }
  }

  /// Removes the results of `id`: a newer result is about to be published, and no older one may follow it. Waits at
  /// most `patience` for a result that a worker tries at this moment. Returns the number of removed results.
  package func withdraw(_ id: JobID, patience: Duration = .seconds(5)) async throws -> Int {
    let deadline = ContinuousClock.now + patience
    var count = 0
    while true {
      let names = try names(of: id)
      for name in names where try !name.isHeld || lease.hasExpired(folder.appending(name.text)) {
        guard let held = try hold(name) else { continue }
        try held.remove()
        count += 1
      }
      guard names.contains(where: \.isHeld), ContinuousClock.now < deadline else { return count }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}

/// The exclusive right to publish an undelivered result.
package final class HeldResult: Sendable {
  package let name: UndeliveredName
  fileprivate let path: VolumePath
  private let results: UndeliveredResults
  private let file: FileDescriptor
  private let renewer: LeaseRenewer

  fileprivate init(_ name: UndeliveredName, _ results: UndeliveredResults, _ path: VolumePath, _ file: FileDescriptor) {
    self.name = name
    self.results = results
    self.path = path
    self.file = file
    renewer = results.lease.keeping(file) {}
  }

  deinit {
    renewer.cancel()
    try? file.close()
  }

  /// Whether the file still has this worker's name: another worker takes it after a lease without a touch.
  package var isHeld: Bool { DurableFile.exists(path) }

  /// Removes the result: it is published, or must not be published any more.
  package func remove() throws(VolumeError) {
    renewer.cancel()
    try DurableFile.remove(path)
  }

  /// Returns the result unchanged, because it could not be tried.
  package func giveBack() throws(VolumeError) {
    renewer.cancel()
    _ = try DurableFile.move(path, to: results.folder.appending(name.unheld))
  }

  /// Stores the result for a later try. The broker refused it; `result` has the reason.
  package func giveBack(_ result: UndeliveredResult) throws(VolumeError) -> UndeliveredName {
    try DurableFile.rewrite(path, DurableFile.line(result, for: path))
    renewer.cancel()
    let next = UndeliveredName(name.id, tries: name.tries + 1, at: try results.lease.clock.now())
    _ = try DurableFile.move(path, to: results.folder.appending(next.text))
    return next
  }

  fileprivate func setAside() throws(VolumeError) {
    renewer.cancel()
    _ = try DurableFile.move(path, to: UndeliveredResults.hidden(path))
  }
}

/// A result that the broker refused, as it is kept on the volume: any worker of its topic filter can publish it exactly
/// as its own worker would have.
package struct UndeliveredResult: Codable, Sendable {
  /// The payload.
  package let message: ResultMessage
  /// The request that it answers, without Response Topic once the sender has its answer.
  package let envelope: Envelope
  /// The event to publish after the result.
  package let ending: JobEvent
  /// The broker's last answer.
  package var reason: String

  package init(_ message: ResultMessage, answering envelope: Envelope, ending: JobEvent, _ refusal: Undeliverable) {
    self.message = message
    self.envelope = envelope.afterAnswer(refusal)
    self.ending = ending
    reason = "\(refusal)"
  }

  /// Reads the content of a file for the job `id`; `nil` if it is of another job, or no result.
  package init?(json: [UInt8], of id: JobID) {
    guard let result = decodedJSON(UndeliveredResult.self, json), result.message.id == id,
      result.ending.id == id
    else { return nil }
    self = result
  }
}

/// The broker refused a result while the connection works: an immediate retry would get the same answer.
package struct Undeliverable: Error, CustomStringConvertible {
  /// The broker's error.
  package let cause: any Error
  /// Whether the sender has its answer on its Response Topic.
  package let senderIsAnswered: Bool

  /// A result that was refused because of `cause`.
  package init(cause: any Error, senderIsAnswered: Bool) {
    self.cause = cause
    self.senderIsAnswered = senderIsAnswered
  }

  /// A sentence for the user.
  package var description: String { "\(cause)" }
}

extension Envelope {
  fileprivate func afterAnswer(_ refusal: Undeliverable) -> Envelope {
    var envelope = self
    if refusal.senderIsAnswered { envelope.responseTopic = nil }
    return envelope
  }
}

/// The file name of an undelivered result: `<next try>.<tries>.<job>.json`, followed by the mark of a worker that tries
/// it now. So the results that are due can be found without reading any.
package struct UndeliveredName: Sendable {
  /// The first and the longest delay between two tries; each delay is twice the one before.
  package static let delays = (first: Duration.seconds(2), longest: Duration.seconds(600))

  /// An upper limit that no worker reaches.
  private static let mostTries = 1_000_000

  /// The time of the next try, in nanoseconds on the volume's clock.
  package let next: Int64
  /// The number of tries.
  package let tries: Int
  package let id: JobID
  /// Whether a worker tries it now, or died while trying.
  package let isHeld: Bool
  package let text: String

  /// The name after `tries` tries, the last one at `moment`.
  package init(_ id: JobID, tries: Int, at moment: Int64) {
    let delay = UndeliveredName.delay(after: tries)
    let (sum, isTooLarge) = moment.addingReportingOverflow(Int64(delay / .nanoseconds(1)))
    next = isTooLarge ? .max : sum
    self.tries = tries
    self.id = id
    isHeld = false
    text = "\(next).\(tries).\(id).json"
  }

  private static func delay(after tries: Int) -> Duration {
    min(delays.first * (1 << min(max(tries - 1, 0), 20)), delays.longest)
  }

  /// The time from the last try to the next.
  package var delay: Duration { UndeliveredName.delay(after: tries) }

  /// `nil` for other names.
  package init?(_ text: String) {
    let parts = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let next = Int64(parts[0]), let tries = Int(parts[1]),
      0..<UndeliveredName.mostTries ~= tries
    else { return nil }
    var rest = parts[2]
    isHeld = !rest.hasSuffix(".json")
    if isHeld {
      guard let mark = rest.firstRange(of: ".json~")?.lowerBound else { return nil }
      rest = rest[..<mark]
    } else {
      rest = rest.dropLast(5)
    }
    guard let id = try? JobID(String(rest)) else { return nil }
    self.next = next
    self.tries = tries
    self.id = id
    self.text = text
  }

  /// Whether it is due at `moment`. A time further ahead than any delay was written before the clock was set back: it
  /// is due, too.
  package func isDue(at moment: Int64) -> Bool {
    let (left, isFar) = next.subtractingReportingOverflow(moment)
    return left <= 0 || isFar || .nanoseconds(left) > UndeliveredName.delays.longest
  }

  /// The name while the worker with `mark` holds it.
  package func held(by mark: String) -> String { "\(unheld)~\(mark)" }

  /// The name while nobody holds it.
  var unheld: String { isHeld ? "\(next).\(tries).\(id).json" : text }
}
