private import FoundationEssentials
private import Glibc
package import Jobs
import SystemPackage

/// Where results are put aside that the broker does not take, while the connection to it is well: one that its rights, its
/// limits or a quota forbid must not keep a job claimed, or a worker from the next job.
///
/// One file a job. Whoever tries again gives the file a name of its own by rename, of which one wins, and touches it meanwhile
/// like a claim; one that a dead worker held is had by the next in the same way.
package struct UndeliveredResults: Sendable {
  package let folder: VolumePath
  package let lease: Lease

  /// Puts a result aside after its first try, durably. What lies there of the same job stays the only one.
  package func put(_ result: UndeliveredResult, of id: JobID) throws(VolumeError) {
    try DurableFile.makeFolder(folder)
    guard try names(of: id).isEmpty else { return }
    let path = folder.appending(UndeliveredName(id, tries: 1, at: try lease.clock.now()).text)
    guard let bytes = try? result.encoded else { throw VolumeError("encoding", path, .invalidArgument) }
    try DurableFile.replace(path, bytes)
  }

  /// What lies here, the next first. What no worker made is set aside.
  package func names(of id: JobID? = nil) throws(VolumeError) -> [UndeliveredName] {
    var names: [UndeliveredName] = []
    for name in try DurableFile.names(in: folder).compactMap(UndeliveredName.init) where id == nil || name.id == id {
      if try DurableFile.isWorkers(folder.appending(name.text)) { names.append(name) }
    }
    return names.sorted { ($0.next, $0.text) < ($1.next, $1.text) }
  }

  /// What is to be tried now.
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

  /// The exclusive right to try one; `nil` when another has it, or it is gone. What is no result of the job that its name says
  /// is given a name that nobody looks at, and told in `odd`.
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

  /// Where what is odd lies beside what is not.
  fileprivate static func hidden(_ path: VolumePath) -> VolumePath {
    path.folder.appending(".odd-\(path.name)")
  }

  private func hold(_ name: UndeliveredName) throws(VolumeError) -> HeldResult? {
    let path = folder.appending(name.text)
    let own = folder.appending(name.held(by: String(UInt64.random(in: 0 ... .max), radix: 36)))
    let file: FileDescriptor
    do throws(Errno) {
      file = try path.openFile(O_RDWR)
    } catch {
      guard error.saysGone else { throw VolumeError("opening", path, error) }
      return nil
    }
    do {
      // Before it has a name that others measure by its age.
      try onVolume("touching", path) { () throws(Errno) in try touch(file) }
      // A rename that a server carried out, and was asked for once more, says that there is nothing.
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

  /// Takes away what lies here of `id`: a newer result is about to be published, and none may come after it. One that is being
  /// tried at this moment is waited for, for as long as `patience`. Returns how many were taken away.
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
  private let room: UndeliveredResults
  private let file: FileDescriptor
  private let keeper: LeaseRenewer

  fileprivate init(_ name: UndeliveredName, _ room: UndeliveredResults, _ path: VolumePath, _ file: FileDescriptor) {
    self.name = name
    self.room = room
    self.path = path
    self.file = file
    keeper = room.lease.keeping(file) {}
  }

  deinit {
    keeper.cancel()
    try? file.close()
  }

  /// Whether no other worker took it meanwhile, because this one did not touch it for a lease.
  package var isHeld: Bool { DurableFile.exists(path) }

  /// It is published, or to be published no more.
  package func remove() throws(VolumeError) {
    keeper.cancel()
    try DurableFile.remove(path)
  }

  /// It could not be tried: it is as before.
  package func giveBack() throws(VolumeError) {
    keeper.cancel()
    _ = try DurableFile.move(path, to: room.folder.appending(name.unheld))
  }

  /// The broker did not take it, for the reason that stands in `result`. It is tried again later.
  package func giveBack(_ result: UndeliveredResult) throws(VolumeError) -> UndeliveredName {
    if let bytes = try? result.encoded { try DurableFile.rewrite(path, bytes) }
    keeper.cancel()
    let next = UndeliveredName(name.id, tries: name.tries + 1, at: try room.lease.clock.now())
    _ = try DurableFile.move(path, to: room.folder.appending(next.text))
    return next
  }

  fileprivate func setAside() throws(VolumeError) {
    keeper.cancel()
    _ = try DurableFile.move(path, to: UndeliveredResults.hidden(path))
  }
}

/// A result that the broker does not take, as it lies on the volume until it does: what is needed to publish it exactly as it
/// would have been, by any worker of its kind.
package struct UndeliveredResult: Codable, Sendable {
  /// The payload.
  package let message: ResultMessage
  /// The request that it answers. Without Response Topic once the sender has its answer.
  package let envelope: Envelope
  /// What is told when the result is out.
  package let ending: JobEvent
  /// What the broker said last.
  package var reason: String

  package init(_ message: ResultMessage, answering envelope: Envelope, ending: JobEvent, _ refusal: Undeliverable) {
    self.message = message
    self.envelope = envelope.afterAnswer(refusal)
    self.ending = ending
    reason = "\(refusal)"
  }

  /// What a file says that is called after the job `id`; `nil` when it is about another, or no result at all.
  package init?(json: [UInt8], of id: JobID) {
    guard let result = try? JSONDecoder().decode(UndeliveredResult.self, from: Data(json)), result.message.id == id,
      result.ending.id == id
    else { return nil }
    self = result
  }

  /// The file's content.
  package var encoded: [UInt8] {
    get throws { try compactJSON(self) + [UInt8(ascii: "\n")] }
  }
}

/// One result is not taken, while all is well with the connection: whoever tries again at once hears the same.
package struct Undeliverable: Error, CustomStringConvertible {
  /// What the source said.
  package let cause: any Error
  /// Whether the sender has its answer where it waits for it.
  package let senderIsAnswered: Bool

  /// A result that is not taken because of `cause`.
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

/// What the name of a file of an undelivered result says: `<next try>.<tries>.<job>.json`, and behind it the mark of the worker
/// that tries now, if one does. So all that are due are found without reading any.
package struct UndeliveredName: Sendable {
  /// The first delay between two tries, and the longest; each is twice the one before.
  package static let delays = (first: Duration.seconds(2), longest: Duration.seconds(600))

  /// A number that no worker reaches.
  private static let mostTries = 1_000_000

  /// When it is tried next, in nanoseconds on the volume's clock.
  package let next: Int64
  /// How often it was tried.
  package let tries: Int
  package let id: JobID
  /// Whether somebody tries now, or died over it.
  package let isHeld: Bool
  package let text: String

  /// The name after `tries` tries, the last of them at `moment`.
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

  /// How long the time from the last try to the next is.
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

  /// Whether it is time, at `moment`. One that lies further ahead than any try was named before the clock was set back.
  package func isDue(at moment: Int64) -> Bool {
    let (left, isFar) = next.subtractingReportingOverflow(moment)
    return left <= 0 || isFar || .nanoseconds(left) > UndeliveredName.delays.longest
  }

  /// The same, as the worker holds it that made `mark`.
  package func held(by mark: String) -> String { "\(unheld)~\(mark)" }

  /// The same, as nobody holds it.
  var unheld: String { isHeld ? "\(next).\(tries).\(id).json" : text }
}
